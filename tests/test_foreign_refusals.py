"""The table of ONNX Runtime's own operators is whole.

And what does not fit or is not understood is named.
"""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

import allotrope
from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.reading.foreign import families  # noqa: F401 - fills the table
from allotrope.network.reading.foreign.operator_table import FOREIGN, MICROSOFT
from foreign_models import IMAGE, KERNEL, ROWS, f, foreign, q, scale, zero
from onnx_models import model, outputs, tensor
from test_foreign_operators import CASES
from test_foreign_quantized import U


def schemas():
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return {(one.domain, one.name): one for one in state.get_all_operator_schema()}


def test_every_signature_is_onnxruntimes():
    """The number of its inputs and the names of its attributes: none is overlooked."""
    known = schemas()
    for (domain, operator), entry in FOREIGN.items():
        schema = known.get((domain, operator))
        if schema is None or entry.refusal or domain != MICROSOFT:
            continue
        assert set(entry.attributes) == set(schema.attributes), operator
        if not any(q.kind is q.VAR_POSITIONAL for q in entry.inputs):
            assert len(entry.inputs) == len(schema.inputs), operator


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            foreign("FusedMatMul", "x w", ROWS, {"w": f(6, 3)}, gamma=1.0),
            "unknown attribute|'gamma', which is not known here",
        ),
        (foreign("FusedMatMul", "x w", ROWS, {"w": f(6, 3)}, alpha=1), "attribute 'alpha' of type"),
        (foreign("FusedMatMul", "x", ROWS), "lacks the inputs b"),
        (foreign("Gelu", "x x x", ROWS), "has 3 inputs, at most 1 are known"),
        (foreign("Attention", "x w", ROWS, {"w": f(6, 24)}), "lacks attribute 'num_heads'"),
        (
            foreign(
                "MatMulNBits", "x w s", ROWS, {"w": q(1, 1, 8), "s": f(1)}, K=6, N=3, block_size=16
            ),
            "does not fit",
        ),
        (
            foreign("QLinearConcat", "s z x", U, {"s": scale(), "z": zero(0)}, axis=0),
            "expected three for each array",
        ),
    ],
)
def test_what_does_not_fit_is_named(made, message):
    with pytest.raises(ModelError, match=message):
        allotrope.load(made[0])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (foreign("Inverse", "x", ROWS), "com.microsoft.Inverse .* inverts matrices"),
        (
            foreign("NoSuchThing", "x", ROWS),
            "is no operator of ONNX and not understood. Save the file without",
        ),
        (
            foreign("FusedConv", "x w", IMAGE, {"w": KERNEL["w"]}, activation="Cube"),
            "its activation 'Cube' is not known",
        ),
        (
            foreign("CDist", "x c", {"x": f(4, 6)}, {"c": f(3, 6)}, metric="cosine"),
            "its metric 'cosine'",
        ),
        (
            foreign("Attention", "x w", ROWS, {"w": f(6, 24)}, num_heads=2, do_rotary=1),
            "are not understood",
        ),
        (
            foreign("SimplifiedLayerNormalization", "x s", ROWS, {"s": f(6)}, domain="", count=2),
            "its output y1 is used",
        ),
        (
            foreign("GridSample", "x g", {**IMAGE, "g": f(2, 3, 5, 2)}, mode="other"),
            "its mode 'other'",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(made, message):
    with pytest.raises(UnsupportedError, match=message):
        allotrope.load(made[0])


def test_the_layout_of_one_processor_says_how_to_save_without_it():
    made, _ = foreign("ReorderInput", "x", IMAGE, domain="com.microsoft.nchwc", channels_last=0)
    made.opset_import.append(helper.make_opsetid("com.microsoft.nchwc", 1))
    with pytest.raises(UnsupportedError, match="Save the file with ORT_ENABLE_EXTENDED"):
        allotrope.load(made)


def test_a_rank_behind_other_foreign_operators_is_found():
    nodes = [
        helper.make_node("BiasGelu", ["x", "b"], ["g"], domain=MICROSOFT),
        helper.make_node("FusedMatMul", ["g", "x"], ["m"], domain=MICROSOFT, transB=1),
        helper.make_node("FusedMatMul", ["m", "x"], ["y"], domain=MICROSOFT, transA=1),
    ]
    made = model(
        nodes, [tensor("x", shape=["n", 5, 6])], arrays={"b": f(6)}, opset=17, ir_version=8
    )
    made.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    lines = []
    network = allotrope.load(made, report=lines.append)
    np.testing.assert_allclose(
        network.run(ROWS)["y"], outputs(made, **ROWS)[0], rtol=1e-4, atol=1e-4
    )
    assert lines == [
        "reading: 1 com.microsoft.BiasGelu, 2 com.microsoft.FusedMatMul read as what they stand "
        "for "
        "in ONNX's own operators"
    ]


def test_what_is_assumed_of_a_past_is_said():
    lines = []
    allotrope.load(CASES["GroupQueryAttention with a past and a window"][0], report=lines.append)
    assert "reading: GroupQueryAttention takes the pasts of all rows as equally long" in lines


def test_inside_of_a_branch():
    def branch(name, operator):
        inner = helper.make_node(operator, ["x"], [name], domain=MICROSOFT)
        return helper.make_graph([inner], name, [], [tensor(name, shape=None)])

    choose = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("a", "Gelu"), else_branch=branch("b", "FastGelu")
    )
    made = model(
        [choose],
        [tensor("x", shape=["n", 5, 6])],
        arrays={"c": np.array(True)},
        opset=17,
        ir_version=8,
    )
    made.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    np.testing.assert_allclose(
        allotrope.load(made).run(ROWS)["y"], outputs(made, **ROWS)[0], rtol=1e-4, atol=1e-5
    )
