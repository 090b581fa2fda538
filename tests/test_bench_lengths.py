"""The lengths and the kinds of numbers that `bench` gives to a file that leaves them open."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from allotrope.errors import UsageError
from allotrope.measure.declared import declared
from allotrope.measure.free_lengths import resolved
from allotrope.measure.random_inputs import is_divisible, random_inputs
from allotrope.network.graph import Value
from allotrope.verbs.bench import bench
from saved_models import floats, saved


def test_random_inputs_have_the_declared_shapes_and_kinds():
    values = [
        Value("a", np.dtype("uint8"), ("n", 4, None)),
        Value("b", np.dtype("int64"), ("n", "t")),
        Value("c", np.dtype("float16"), ()),
    ]
    inputs = random_inputs(values, 3, {"t": 5})
    assert {name: (array.shape, array.dtype.name) for name, array in inputs.items()} == {
        "a": ((3, 4, 1), "uint8"),
        "b": ((3, 5), "int64"),
        "c": ((), "float16"),
    }


def test_only_a_shared_free_batch_may_be_divided():
    image = Value("x", np.dtype("float32"), ("n", 3))
    other = Value("y", np.dtype("float32"), ("m", 3))
    assert is_divisible([image], [image])
    assert not is_divisible([image], [other])
    assert not is_divisible([image, image], [image])


CONV = [helper.make_node("Conv", ["x", "w"], ["y"])]
LENGTHS = {
    "channels and sides": (
        CONV,
        [floats("x", "b", "c", "h", "w")],
        {"w": np.ones((8, 3, 4, 4), np.float32)},
        {"c": 3, "h": 224, "w": 224},
    ),
    "channels in groups": (
        [helper.make_node("Conv", ["x", "w"], ["y"], group=3)],
        [floats("x", "b", "c", "h", "w")],
        {"w": np.ones((6, 1, 4, 4), np.float32)},
        {"c": 3, "h": 224, "w": 224},
    ),
    "behind a scale": (
        [helper.make_node("Div", ["x", "s"], ["d"]), helper.make_node("Conv", ["d", "w"], ["y"])],
        [floats("x", "b", "c", 32, 32)],
        {"s": np.float32(255), "w": np.ones((8, 5, 4, 4), np.float32)},
        {"c": 5},
    ),
    "channels last, without names": (
        [helper.make_node("Transpose", ["x"], ["y"])],
        [floats("x", None, None, None, 3)],
        {},
        {"x:1": 224, "x:2": 224},
    ),
    "rows of a matrix": (
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        [floats("x", "b", "features")],
        {"w": np.ones((3, 7), np.float32)},
        {"features": 7},
    ),
    "ids": (
        [helper.make_node("Add", ["ids", "mask"], ["y"])],
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t"])
            for name in ("ids", "mask")
        ],
        {},
        {"t": 128},
    ),
}


@pytest.mark.parametrize("kind", LENGTHS)
def test_free_lengths_that_the_file_shows_are_taken_and_said(tmp_path, kind):
    nodes, inputs, arrays, expected = LENGTHS[kind]
    file = declared(saved(tmp_path / "m.onnx", nodes, inputs, [floats("y")], arrays))
    lengths = resolved(file, [])
    assert lengths.by_name == expected
    assert all(f"{name}={length}" in "".join(lengths.lines) for name, length in expected.items())
    assert "--dimensions" in lengths.lines[0]
    assert all(
        isinstance(length, int)
        for value in lengths.fixed(file.inputs)
        for length in (value.shape or ())[1:]
    )


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ([floats("x", "b", "t", 8)], "t=16"),
        ([floats("x", "b", "c", "h", "w")], "c=16,h=16,w=16"),
        ([floats("x", "b", 7, "h", "w")], "h=16,w=16"),
        (
            [
                floats("x", "b", 2, "past", 4),
                helper.make_tensor_value_info("ids", TensorProto.INT64, ["b", "t"]),
            ],
            "past=16,t=16",
        ),
        ([floats("x", None, None)], "x:1=16"),
    ],
)
def test_free_lengths_that_could_be_anything_are_asked_for(tmp_path, inputs, named):
    file = declared(
        saved(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], inputs, [floats("y")])
    )
    with pytest.raises(UsageError, match=rf"cannot be told from the file.*--dimensions {named}$"):
        resolved(file, [])


def test_dimensions_overrule_what_would_be_taken_and_sums_follow(tmp_path):
    inputs = [
        floats("x", "b", 2, "past", 4),
        *(floats(name, "b", length) for name, length in (("m", "past + t"), ("u", "t"))),
    ]
    file = declared(
        saved(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], inputs, [floats("y")])
    )
    assert resolved(file, ["past=7,t=2"]).by_name == {"past": 7, "t": 2, "past + t": 9}
    pictures = saved(
        tmp_path / "p.onnx",
        *LENGTHS["channels and sides"][:2],
        [floats("y")],
        LENGTHS["channels and sides"][2],
    )
    assert resolved(declared(pictures), ["h=32", "w=48"]).by_name == {"h": 32, "w": 48, "c": 3}


def test_inputs_that_are_no_tensors_are_named(tmp_path):
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    unranked = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    file = saved(
        tmp_path / "m.onnx",
        [helper.make_node("Relu", ["r"], ["y"])],
        [sequence, unranked],
        [floats("y")],
    )
    with pytest.raises(UsageError, match="inputs 's', 'r'"):
        declared(file)


def test_inputs_are_filled_by_what_they_are_for_and_it_is_said(tmp_path):
    rows = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["b", 5])
        for name in ("tokens", "attention_mask")
    ]
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["taken"]),
        helper.make_node("Trilu", ["taken"], ["cut"], domain="com.microsoft"),
        helper.make_node("Cast", ["attention_mask"], ["seen"], to=TensorProto.FLOAT),
    ]
    outputs = [floats("cut"), floats("seen")]
    file = saved(
        tmp_path / "m.onnx",
        nodes,
        rows,
        outputs,
        {"table": np.ones((7, 3), np.float32)},
        [("com.microsoft", 1)],
    )
    table = bench(file, runtimes=["onnxruntime"], batch=[2], threads=1, rounds=1)
    notes = "\n".join(table.json["notes"])
    assert (
        "'attention_mask' gets 1 for the beginning of each row and 0 for its end: its name says so"
        in notes
    )
    assert table.exit_code == 0
