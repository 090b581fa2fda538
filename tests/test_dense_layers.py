"""A product and the bias behind it become one dense layer where frameworks compute, and only so."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.frameworks.lowering import lowered
from allotrope.network.build import Builder
from tested import TESTED

WEIGHT = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
BIAS = np.array([1, -2, 3, 0.5], np.float32)


def network(
    shape=("n", 5, 3), weight=WEIGHT, bias=BIAS, bias_first=False, also=None, dtype="float32"
):
    """x times a weight plus a bias; `also` says what else the product is: an output, or read."""
    b = Builder("dense")
    product = b.add(
        "MatMul", [b.input("x", dtype, shape), b.weight("weight", weight)], name="product"
    )
    terms = [product, b.weight("bias", bias)]
    b.output(b.add("Add", terms[::-1] if bias_first else terms), "y")
    if also == "output":
        b.output(product, "product")
    if also == "read":
        b.output(b.add("Relu", [product]), "z")
    return b.network()


def operators(network):
    return [node.operator for node in lowered(network).nodes]


@pytest.mark.parametrize("shape", [("n", 3), ("n", 5, 3), ("n", 2, 5, 3)])
@pytest.mark.parametrize("bias_first", [False, True])
def test_a_product_and_its_bias_are_one(shape, bias_first):
    two = network(shape, bias_first=bias_first)
    assert operators(two) == ["Dense"]
    assert [node.operator for node in two.graph.nodes] == ["MatMul", "Add"]
    (layer,) = lowered(two).nodes
    assert (layer.name, layer.inputs, layer.outputs) == ("product", ("x", "weight", "bias"), ("y",))


@pytest.mark.parametrize(
    "other",
    [
        {"also": "output"},
        {"also": "read"},
        {"bias": BIAS[:1]},
        {"bias": np.ones((5, 4), np.float32)},
        {"bias": np.float32(2)},
        {"shape": (3,)},
        {"weight": np.stack([WEIGHT, WEIGHT])},
        {"weight": np.ones((3, 4), np.int32), "bias": np.ones(4, np.int32), "dtype": "int32"},
    ],
)
def test_what_is_no_dense_layer_stays_two(other):
    assert sorted(operators(network(**other)))[:2] == ["Add", "MatMul"]


def test_what_is_added_to_the_product_must_not_be_computed():
    b = Builder("sum")
    product = b.add("MatMul", [b.input("x", "float32", ("n", 3)), b.weight("weight", WEIGHT)])
    b.output(b.add("Add", [product, product]), "twice")
    b.output(b.add("Add", [b.add("MatMul", ["x", "weight"]), b.add("Relu", [product])]), "other")
    assert "Dense" not in operators(b.network())


@pytest.mark.parametrize("shape", [(4, 3), (4, 5, 3), (4, 2, 5, 3), (0, 5, 3)])
def test_frameworks_compute_the_two_nodes(framework, shape):
    one = network(("n", *shape[1:]))
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    answer = one.run({"x": x}, framework=framework)["y"]
    np.testing.assert_allclose(answer, x @ WEIGHT + BIAS, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 5, 3)])
@pytest.mark.parametrize("framework", TESTED)
def test_slopes_are_those_of_the_two_nodes(framework, shape):
    one = network(("n", *shape[1:]))
    random = np.random.default_rng(1)
    x = random.standard_normal(shape).astype(np.float32)
    towards = random.standard_normal((*shape[:-1], 4)).astype(np.float32)
    slopes = one.gradients({"x": x}, {"y": towards}, framework=framework)
    rows = x.reshape(-1, 3), towards.reshape(-1, 4)
    expected = {
        "x": towards @ WEIGHT.T,
        "weight": rows[0].T @ rows[1],
        "bias": rows[1].sum(0),
    }
    for name, slope in expected.items():
        np.testing.assert_allclose(slopes[name], slope, rtol=1e-4, atol=1e-5, err_msg=name)
