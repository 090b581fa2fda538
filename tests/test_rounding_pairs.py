"""Numbers that are rounded to integers and back: the same answers as before, and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.frameworks.lowering import lowered
from allotrope.network.build import Builder

SCALES = {"one": np.float32(0.1), "several": np.array([0.05, 0.1, 0.3], np.float32)}


def rounding(scale, zero_point, axis=1, kind="weight"):
    """x [n, 3] rounded to integers and back, times a weight."""
    b = Builder("rounding")
    x = b.input("x", "float32", ("n", 3))
    steps = b.weight("scale", scale) if kind == "weight" else b.constant(scale)
    zeros = b.constant(zero_point)
    whole = b.add("QuantizeLinear", [x, steps, zeros], {"axis": axis}, name="whole")
    y = b.add("DequantizeLinear", [whole, steps, zeros], {"axis": axis}, name="back")
    b.output(b.add("Mul", [y, b.weight("w", np.array([1, 2, 3], np.float32))], name="y"), "y")
    return b.network()


def numbers():
    """Inside the range of the integers, on the halves between two of them, and beyond."""
    random = np.random.default_rng(0)
    inside = random.uniform(-3, 3, (40, 3))
    halves = (random.integers(-9, 9, (20, 3)) + 0.5) * 0.1
    beyond = random.choice([-1e4, 1e4, 50.0], (20, 3))
    return np.concatenate([inside, halves, beyond]).astype(np.float32)


def by_hand(x, scale, zero, low, high):
    """What comes out, and the slopes of their sum by x and by the scale at each place."""
    scaled = (x / scale).astype(np.float64)
    limits = low - zero, high - zero
    whole = np.clip(np.rint(scaled), *limits)
    inside = (scaled > limits[0]) & (scaled < limits[1])
    return whole * scale, inside.astype(float), np.where(inside, whole - scaled, whole)


@pytest.mark.parametrize("zero", [np.int8(0), np.uint8(7), np.int8(-20), np.int16(3)])
@pytest.mark.parametrize("scale", SCALES)
def test_answers_and_gradients(framework, scale, zero):
    x, scale = numbers(), SCALES[scale]
    zeros = np.full(scale.shape, zero)
    limits = np.iinfo(zeros.dtype)
    y, slopes, of_scale = by_hand(x, scale, int(zero), limits.min, limits.max)
    network = rounding(scale, zeros)
    weight = network.weights["w"]
    if framework != "reference":
        gradients = network.gradients({"x": x}, {"y": np.ones_like(x)}, framework=framework)
        assert np.allclose(gradients["x"], slopes * weight, rtol=1e-5)
        products = of_scale * weight
        wanted = products.sum(0) if scale.ndim else products.sum()
        assert np.allclose(gradients["scale"], wanted, rtol=1e-4, atol=1e-2)
    answers = network.run({"x": x}, framework=framework)["y"]
    assert np.allclose(answers, y * weight, rtol=1e-5)


def test_one_step_computes_what_two_do():
    from allotrope.frameworks.reference.primitives import ReferencePrimitives
    from allotrope.operators.interpret import Context, Program

    network, p = rounding(SCALES["several"], np.full(3, 7, np.uint8)), ReferencePrimitives()
    graphs = network.graph, lowered(network)
    assert [len(graph.nodes) for graph in graphs] == [3, 2]
    values = {"x": numbers(), **network.weights}
    two, one = (Program(graph, p, p)(dict(values), Context())[0] for graph in graphs)
    assert np.array_equal(two, one)
