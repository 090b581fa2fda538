"""The printed table, and what it counts."""

import numpy as np
import pytest

import allotrope
from allotrope.network.summary import multiply_adds, multiply_adds_by_node, parameters
from onnx_models import model, node, tensor

F = np.float32


@pytest.mark.parametrize(
    ("made", "shape", "arrays", "expected"),
    [
        (
            node("Conv", "x w", "y", pads=[1, 1, 1, 1]),
            ["n", 3, 8, 8],
            {"w": np.ones((5, 3, 3, 3), F)},
            8 * 8 * 5 * 27,
        ),
        (
            node("Conv", "x w", "y", group=3),
            ["n", 3, 8, 8],
            {"w": np.ones((3, 1, 3, 3), F)},
            6 * 6 * 3 * 9,
        ),
        (
            node("ConvTranspose", "x w", "y", strides=[2, 2]),
            ["n", 3, 4, 4],
            {"w": np.ones((3, 5, 2, 2), F)},
            4 * 4 * 3 * 5 * 4,
        ),
        (node("Gemm", "x w", "y", transB=1), ["n", 7], {"w": np.ones((5, 7), F)}, 35),
        (node("Gemm", "x w", "y", transA=1), [7, 1], {"w": np.ones((7, 5), F)}, 35),
        (node("MatMul", "x w", "y"), [None, 4, 7], {"w": np.ones((7, 5), F)}, 4 * 35),
        (
            node("LSTM", "x w r", "y", hidden_size=2),
            [3, 1, 4],
            {"w": np.ones((1, 8, 4), F), "r": np.ones((1, 8, 2), F)},
            3 * (32 + 16),
        ),
        (node("Relu", "x", "y"), ["n", 7], {}, 0),
    ],
)
def test_multiply_adds_of_one_example(made, shape, arrays, expected):
    network = allotrope.load(model([made], [tensor("x", shape=shape)], arrays=arrays))
    assert multiply_adds(network) == expected
    assert parameters(network) == sum(array.size for array in arrays.values())


def test_a_resnet_costs_what_is_published():
    network = allotrope.networks.resnet20(classes=10, image=(3, 32, 32))
    assert multiply_adds(network) == pytest.approx(40.8e6, rel=0.01)
    assert parameters(network) == pytest.approx(0.27e6, rel=0.02)


def test_lengths_that_are_free_leave_a_mark():
    made = model(
        [node("Conv", "x w", "y")],
        [tensor("x", shape=["n", 3, "h", "w_"])],
        arrays={"w": np.ones((5, 3, 1, 1), F)},
    )
    network = allotrope.load(made)
    assert multiply_adds_by_node(network) == (None,)
    assert "at least 0 multiply-adds" in str(network)


def test_the_table_is_aligned_and_counts_a_shared_weight_once():
    nodes = [
        node("MatMul", "x w", "hidden", name="first"),
        node("MatMul", "hidden w", "y", name="second.layer"),
    ]
    text = str(allotrope.load(model(nodes, arrays={"w": np.eye(3, dtype=F)})))
    assert text.splitlines() == [
        "g: x float32 [n, 3] -> y float32 [n, 3]",
        "node          operator  output  weights  multiply-adds",
        "------------------------------------------------------",
        "first         MatMul    [n, 3]        9              9",
        "second.layer  MatMul    [n, 3]                       9",
        "------------------------------------------------------",
        "2 nodes, 9 trainable weights, 0 state, 18 multiply-adds an example",
    ]
