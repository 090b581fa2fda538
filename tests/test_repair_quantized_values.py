"""What a quantized file computes with is read as the float values it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from allotrope.config import Repair
from onnx_models import node, outputs, tensor
from quantized_parts import IMAGE, PIXELS, ROWS, bytes_, drawn, loaded, number, rounding
from repaired import F, of, operators
from test_repair_quantization import WEIGHTS

KERNEL = {
    "w": drawn(4, 3, 3, 3),
    "v": drawn(2, 4, 3, 3),
    "s": number(0.02),
    "z": number(0, np.uint8),
    "m": number(128, np.uint8),
}


def test_the_limit_of_a_range_stays_for_it_may_be_a_relu():
    made = of(
        [node("Conv", "x w", "a"), *rounding("a", "b"), node("Conv", "b v", "y")], KERNEL, IMAGE
    )
    network, lines = loaded(made)
    assert operators(network) == ["Conv", "Clip", "Conv"]
    low, high = (network.graph.constants[name] for name in network.graph.nodes[1].inputs[1:])
    assert low == 0 and high == pytest.approx(255 * 0.02)
    np.testing.assert_allclose(
        network.run({"x": PIXELS})["y"], outputs(made, x=PIXELS)[0], atol=0.1
    )
    assert lines == [
        "repair: 1 nodes no longer round what they compute, so that there are gradients; "
        "the limits of their numbers stay, in 1 Clip; --no-repair quantization keeps the rounding"
    ]


@pytest.mark.parametrize(
    ("before", "clips"),
    [
        (node("Relu", "a", "b"), [("", 1)]),
        (node("Sigmoid", "a", "b"), []),
        (node("Clip", "a low high", "b"), []),
        (node("Identity", "a", "b"), [(0, 1)]),
    ],
)
def test_a_limit_that_changes_nothing_goes(before, clips):
    arrays = {**KERNEL, "low": number(0), "high": number(3)}
    made = of(
        [node("Conv", "x w", "a"), before, *rounding("b", "c"), node("Conv", "c v", "y")],
        arrays,
        IMAGE,
    )
    names = [
        n.inputs[1:]
        for n in loaded(made)[0].graph.nodes
        if n.operator == "Clip" and n.inputs[1:] != ("low", "high")
    ]
    assert len(names) == len(clips)
    assert all((one[0] == "") == (two[0] == "") for one, two in zip(names, clips, strict=True))


@pytest.mark.parametrize(
    "end", [[], [node("Flatten", "e", "g"), node("Softmax", "g", "y", axis=1)]]
)
def test_the_limits_of_what_goes_in_and_out_are_those_of_the_data_that_was_seen(end):
    """Pixels that are shifted and scaled first, and logits before probabilities, have none."""
    last = "e" if end else "y"
    nodes = [
        node("Sub", "x mean", "n"),
        *rounding("n", "a"),
        node("Conv", "a w", "b"),
        *rounding("b", last, "s", "m"),
        *end,
    ]
    made = of(nodes, {**KERNEL, "mean": np.ones((3, 1, 1), F)}, IMAGE)
    assert operators(loaded(made)[0]) == ["Sub", "Conv", *[one.op_type for one in end]]


@pytest.mark.parametrize("bias", ["k", "kd"])
def test_a_product_has_no_limit_before_its_bias(bias):
    nodes = [
        node("DequantizeLinear", "kq s", "kd"),
        node("MatMul", "x v", "a"),
        *rounding("a", "b", "s", "m"),
        node("Add", f"b {bias}", "c"),
        node("Relu", "c", "y"),
    ]
    arrays = {**KERNEL, "v": drawn(6, 4), "k": drawn(4), "kq": bytes_(4)}
    assert operators(loaded(of(nodes, arrays, ROWS))[0]) == ["MatMul", "Add", "Relu"]


def test_a_limit_stays_if_the_value_is_used_inside_too():
    nodes = [
        node("Conv", "x w", "a"),
        *rounding("a", "b", "s", "m"),
        node("Softmax", "b", "p", axis=1),
        node("Mul", "p b", "y"),
    ]
    assert operators(loaded(of(nodes, KERNEL, IMAGE))[0]) == ["Conv", "Clip", "Softmax", "Mul"]


def test_what_moves_integers_moves_what_they_stand_for():
    nodes = [
        node("QuantizeLinear", "x s m", "q"),
        node("MaxPool", "q", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", "p", "t", perm=[0, 2, 3, 1]),
        node("Reshape", "t shape", "r"),
        node("Concat", "r r", "c", axis=1),
        node("Pad", "c pads m", "e"),
        node("DequantizeLinear", "e s m", "d"),
        node("MatMul", "d k", "y"),
    ]
    arrays = {
        **KERNEL,
        "shape": np.array([0, -1]),
        "pads": np.array([0, 1, 0, 1]),
        "k": drawn(56, 2),
    }
    made = of(nodes, arrays, IMAGE)
    x = PIXELS.clip(-2.5, 2.5)
    network, _ = loaded(made)
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(operators(network))
    np.testing.assert_allclose(network.run({"x": x})["y"], outputs(made, x=x)[0], atol=0.1)


def test_numbers_of_four_bits_in_eight():
    """QAT frameworks write Clip between the two nodes."""
    narrow = [
        node("QuantizeLinear", "{0} s z8", "{0}/q"),
        node("Clip", "{0}/q low high", "{0}/n"),
        node("DequantizeLinear", "{0}/n s z8", "{0}/d"),
    ]

    def of_four_bits(name):
        return [
            node(one.op_type, " ".join(one.input).format(name), one.output[0].format(name))
            for one in narrow
        ]

    nodes = [
        *of_four_bits("w"),
        node("Conv", "x w/d", "a"),
        *of_four_bits("a"),
        node("Conv", "a/d v", "y"),
    ]
    arrays = {
        "w": drawn(4, 3, 3, 3),
        "v": KERNEL["v"],
        "s": number(0.1),
        "z8": number(0, np.int8),
        "low": number(-7, np.int8),
        "high": number(7, np.int8),
    }
    made = of(nodes, arrays, IMAGE)
    network, _ = loaded(made)
    assert network.trainable == {"w", "v"}
    assert operators(network) == ["Conv", "Clip", "Clip", "Conv"]
    np.testing.assert_allclose(network.graph.constants[network.graph.nodes[2].inputs[1]], -0.7)


def test_integers_that_are_given_out_stay():
    made = of(
        [node("Conv", "x w", "a"), node("QuantizeLinear", "a s m", "y")],
        KERNEL,
        IMAGE,
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
    )
    network, lines = loaded(made)
    assert operators(network) == ["Conv", "QuantizeLinear"] and not lines
    assert (network.run({"x": PIXELS})["y"] == outputs(made, x=PIXELS)[0]).all()


def test_numbers_that_are_read_on_another_scale_stay():
    nodes = [
        node("Conv", "x w", "a"),
        node("QuantizeLinear", "a s m", "q"),
        node("DequantizeLinear", "q other m", "y"),
    ]
    made = of(nodes, {**KERNEL, "other": number(1.0)}, IMAGE)
    assert operators(loaded(made)[0]) == ["Conv", "QuantizeLinear", "DequantizeLinear"]


def test_inside_of_a_branch_the_values_keep_their_names():
    inner = helper.make_graph([node("Relu", "b", "r")], "then", [], [tensor("r", shape=None)])
    other = helper.make_graph([node("Neg", "b", "s1")], "else", [], [tensor("s1", shape=None)])
    nodes = [
        node("Conv", "x w", "a"),
        *rounding("a", "b"),
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other),
    ]
    made = of(nodes, {**KERNEL, "c": np.array(True)}, IMAGE)
    network, _ = loaded(made)
    np.testing.assert_allclose(
        network.run({"x": PIXELS})["y"], outputs(made, x=PIXELS)[0], atol=0.03
    )


def test_it_has_a_switch():
    nodes, arrays, _ = WEIGHTS["one scale"]
    network, lines = loaded(
        of([*nodes, node("MatMul", "x w", "y")], arrays, ROWS),
        repair=Repair.without(["quantization"]),
    )
    assert operators(network) == ["DequantizeLinear", "MatMul"]
    assert not network.trainable
    assert not lines


def test_gradients_reach_all_weights(framework):
    if framework == "reference":
        pytest.skip("the reference gives outputs only")
    nodes = [
        *rounding("x", "x2", "s", "m"),
        node("DequantizeLinear", "q s z8", "w"),
        node("Conv", "x2 w", "a"),
        *rounding("a", "b"),
        node("DequantizeLinear", "r s z8", "v"),
        node("Conv", "b v", "y"),
    ]
    arrays = {
        **{name: KERNEL[name] for name in "szm"},
        "q": bytes_(4, 3, 3, 3),
        "r": bytes_(2, 4, 3, 3),
        "z8": number(0, np.int8),
    }
    network, _ = loaded(of(nodes, arrays, IMAGE))
    slopes = network.gradients({"x": PIXELS}, {"y": np.ones((4, 2, 2, 2), F)}, framework)
    assert all(np.abs(slopes[name]).max() > 1e-3 for name in ("q", "r"))
