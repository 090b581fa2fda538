"""Arrays that were only equal before any training are each layer's own; others stay shared."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest

import allotrope
from allotrope.config import Repair
from onnx_models import drawn_from, node, tensor
from repaired import F, of, same

RNG = np.random.default_rng(4)
ROWS = [tensor("x", shape=["n", 4, 6])]
X = RNG.standard_normal((2, 4, 6)).astype(F)
IMAGES = [tensor("x", shape=["n", 6, 5, 5])]
PIXELS = RNG.standard_normal((2, 6, 5, 5)).astype(F)
ONES, ZEROS = np.ones(6, F), np.zeros(6, F)

drawn = partial(drawn_from, RNG)


def kernel():
    return drawn(6, 6, 1, 1)


NORMS = {"o": ONES, "z": ZEROS}
SEPARATED = {
    "two normalizations": (
        [
            node("LayerNormalization", "x o z", "a"),
            node("MatMul", "a w", "b"),
            node("LayerNormalization", "b o z", "y"),
        ],
        {**NORMS, "w": drawn(6, 6)},
        ROWS,
        5,
    ),
    "normalizations on a path around layers": (
        [
            node("LayerNormalization", "x o z", "a"),
            node("MatMul", "a v", "b"),
            node("Add", "x b", "s"),
            node("LayerNormalization", "s o z", "c"),
            node("MatMul", "c w", "d"),
            node("Add", "s d", "y"),
        ],
        {**NORMS, "v": drawn(6, 6), "w": drawn(6, 6)},
        ROWS,
        6,
    ),
    "a normalization and a bias": (
        [
            node("LayerNormalization", "x o z", "a"),
            node("MatMul", "a w", "b"),
            node("Add", "b z", "y"),
        ],
        {**NORMS, "w": drawn(6, 6)},
        ROWS,
        4,
    ),
    "biases of two convolutions": (
        [node("Conv", "x v z", "a"), node("Conv", "a w z", "y")],
        {"v": kernel(), "w": kernel(), "z": ZEROS},
        IMAGES,
        4,
    ),
    "trained normalizations of different layers": (
        [
            node("LayerNormalization", "x o z", "a"),
            node("MatMul", "a w", "b"),
            node("LayerNormalization", "b o z", "y"),
        ],
        {"o": drawn(6), "z": drawn(6), "w": drawn(6, 6)},
        ROWS,
        5,
    ),
    "a vector that is two things": (
        [node("MatMul", "x w", "a"), node("Mul", "a k", "b"), node("Add", "b k", "y")],
        {"w": drawn(6, 6), "k": drawn(6)},
        ROWS,
        3,
    ),
    "both arrays of one normalization": (
        [node("LayerNormalization", "x z z", "y")],
        {"z": ZEROS},
        ROWS,
        2,
    ),
    "scales of layers, as ConvNeXt begins": (
        [
            node("Relu", "x", "r"),
            node("Mul", "r g", "a"),
            node("Relu", "a", "b"),
            node("Mul", "b g", "y"),
        ],
        {"g": np.full(6, 1e-6, F)},
        ROWS,
        2,
    ),
    "slopes": (
        [node("PRelu", "x s", "a"), node("Conv", "a w", "b"), node("PRelu", "b s", "y")],
        {"s": np.full((6, 1, 1), 0.25, F), "w": kernel()},
        IMAGES,
        3,
    ),
    "convolutions that begin with 0": (
        [node("Conv", "x k", "a"), node("Conv", "a w", "b"), node("Conv", "b k", "y")],
        {"k": np.zeros((6, 6, 1, 1), F), "w": kernel()},
        IMAGES,
        3,
    ),
}


def both_ways(layers):
    """The same layers over x and over their own result."""
    again = {"x": "y1"} | {name: f"{name}2" for layer in layers for name in layer.output}
    renamed = []
    for layer in layers:
        inputs = [again.get(name, name) for name in layer.input]
        renamed.append(node(layer.op_type, " ".join(inputs), again[layer.output[0]]))
    return [
        *layers,
        node("Identity", layers[-1].output[0], "y1"),
        *renamed,
        node("Add", f"y1 {layers[-1].output[0]}2", "y"),
    ]


SHARED = {
    "one kernel and its bias": (
        both_ways([node("Conv", "x v z", "a")]),
        {"v": kernel(), "z": ZEROS},
        IMAGES,
        2,
    ),
    "a normalization behind a shared layer": (
        both_ways(
            [
                node("MatMul", "x w", "a"),
                node("Add", "a z", "b"),
                node("LayerNormalization", "b o z2", "c"),
            ]
        ),
        {"w": drawn(6, 6), "z": ZEROS, "o": ONES, "z2": np.zeros(6, F)},
        ROWS,
        4,
    ),
    "a normalization before a shared layer": (
        both_ways([node("LayerNormalization", "x o z", "a"), node("MatMul", "a w", "b")]),
        {**NORMS, "w": drawn(6, 6)},
        ROWS,
        3,
    ),
    "a shared layer behind a transpose": (
        both_ways(
            [node("Transpose", "w", "wt"), node("MatMul", "x wt", "a"), node("Add", "a z", "b")]
        ),
        {"w": drawn(6, 6), "z": ZEROS},
        ROWS,
        2,
    ),
    "an embedding that is the last layer too": (
        [
            node("Gather", "t i", "e"),
            node("Add", "x e", "s"),
            node("Transpose", "t", "u", perm=[1, 0]),
            node("MatMul", "s u", "y"),
        ],
        {"t": drawn(9, 6), "i": np.array([1, 2, 3, 4])},
        ROWS,
        1,
    ),
    "a trained normalization of a shared layer": (
        both_ways([node("MatMul", "x w", "a"), node("LayerNormalization", "a o z", "b")]),
        {"w": drawn(6, 6), "o": drawn(6), "z": drawn(6)},
        ROWS,
        3,
    ),
    "a bias of two layers, in the same place": (
        [
            node("MatMul", "x w", "a"),
            node("Add", "a z", "b"),
            node("Relu", "b", "c"),
            node("Add", "c z", "y"),
        ],
        {"w": drawn(6, 6), "z": drawn(6)},
        ROWS,
        2,
    ),
}


def loaded(case, **options):
    nodes, arrays, inputs, count = case
    x = X if inputs is ROWS else PIXELS
    network, lines = same(of(nodes, arrays, inputs), x, **options)
    return network, lines, count


@pytest.mark.parametrize("case", SEPARATED)
def test_what_was_only_equal_is_each_layers_own(case):
    network, lines, count = loaded(SEPARATED[case])
    assert len(network.trainable) == count
    assert sum("each has its own now; --no-repair shared-arrays" in line for line in lines) == 1
    names = [name for n in network.graph.nodes for name in n.inputs if name in network.trainable]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", SHARED)
def test_what_layers_share_stays_shared(case):
    network, lines, count = loaded(SHARED[case])
    assert len(network.trainable) == count
    assert not any("shared-arrays" in line for line in lines)


def test_it_has_a_switch():
    nodes, arrays, inputs, _ = SEPARATED["two normalizations"]
    network = allotrope.load(of(nodes, arrays, inputs), repair=Repair.without(["shared-arrays"]))
    assert network.trainable == {"o", "z", "w"}


def test_many_uses_take_no_time():
    """Each pair of uses is not compared if no layer is used twice."""
    names = ["x", *(f"a{i}" for i in range(2999)), "y"]
    chain = [node("LayerNormalization", f"{a} o z", b) for a, b in pairwise(names)]
    assert len(allotrope.load(of(chain, NORMS, ROWS)).trainable) == 6000


def test_gradients_are_apart_afterwards(framework):
    if framework == "reference":
        pytest.skip("the reference gives outputs only")
    network, *_ = loaded(SEPARATED["two normalizations"])
    slopes = network.gradients({"x": X}, {"y": np.ones((2, 4, 6), F)}, framework)
    first, second = (network.graph.nodes[i].inputs[2] for i in (0, 2))
    np.testing.assert_allclose(slopes[second], 8, rtol=1e-5)
    assert np.abs(slopes[first] - 8).max() > 1e-2
