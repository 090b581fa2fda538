"""What frameworks have one kernel for is one step there, equal to what it is made of."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.frameworks.lowering import lowered
from allotrope.network import zoo
from allotrope.network.build import Builder
from tested import TESTED

RNG = np.random.default_rng(3)


def swish(turned=False, also=None):
    """x times its sigmoid; `also` says what else the sigmoid is: an output, or of another x."""
    b = Builder("swish")
    x = b.input("x", "float32", ("n", 3))
    sigmoid = b.add("Sigmoid", [x], name="sigmoid")
    other = b.add("Neg", [x]) if also == "other" else x
    b.output(b.add("Mul", [sigmoid, other] if turned else [other, sigmoid], name="product"), "y")
    if also == "output":
        b.output(sigmoid, "sigmoid")
    return b.network()


@pytest.fixture(params=TESTED)
def framework(request):
    """Those that have gradients."""
    return request.param


def operators(network):
    return [node.operator for node in lowered(network).nodes]


@pytest.mark.parametrize("turned", [False, True])
def test_a_number_times_its_sigmoid_is_one_step_where_frameworks_compute(turned):
    two = swish(turned)
    assert operators(two) == ["Swish"]
    assert [node.operator for node in two.graph.nodes] == ["Sigmoid", "Mul"]


@pytest.mark.parametrize("also", ["output", "other"])
def test_what_is_no_swish_stays_two(also):
    assert "Swish" not in operators(swish(also=also))


def close_to_the_reference(network, x, framework):
    """Outputs and gradients of all inputs and weights."""
    names = [value.name for value in network.outputs]
    expected, answers = (network.run({"x": x}, framework=f) for f in ("reference", framework))
    for name in names:
        np.testing.assert_allclose(answers[name], expected[name], rtol=1e-5, atol=1e-5)
    seeds = {
        name: np.cos(np.arange(expected[name].size)).reshape(expected[name].shape) for name in names
    }
    return network.gradients(
        {"x": x}, {n: s.astype(np.float32) for n, s in seeds.items()}, framework=framework
    )


def test_swish_and_its_slope(framework):
    x = RNG.standard_normal((5, 3)).astype(np.float32)
    gradients = close_to_the_reference(swish(), x, framework)
    sigmoid = 1 / (1 + np.exp(-x.astype(np.float64)))
    slope = np.cos(np.arange(x.size)).reshape(x.shape) * sigmoid * (1 + x * (1 - sigmoid))
    np.testing.assert_allclose(gradients["x"], slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("axis", "lengths"), [(1, (2, 3, 1)), (1, (6, 0)), (2, (1, 3)), (0, (1, 1))]
)
def test_pieces_and_their_slopes(framework, axis, lengths):
    b = Builder("pieces")
    x = b.input("x", "float32", (2, 6, 4))
    pieces = b.add(
        "Split", [x, b.constant(np.array(lengths))], {"axis": axis}, outputs=len(lengths)
    )
    for number, piece in enumerate(pieces):
        b.output(b.add("Mul", [piece, b.constant(np.float32(number + 1))]), f"y{number}")
    array = RNG.standard_normal((2, 6, 4)).astype(np.float32)
    gradients = close_to_the_reference(b.network(), array, framework)
    bounds = np.cumsum(lengths)[:-1]
    shapes = [piece.shape for piece in np.split(array, bounds, axis)]
    expected = [
        (number + 1) * np.cos(np.arange(np.prod(shape))).reshape(shape)
        for number, shape in enumerate(shapes)
    ]
    np.testing.assert_allclose(gradients["x"], np.concatenate(expected, axis), rtol=1e-5)


def shuffled(groups, axes, between=None):
    """A convolution whose channels are split in groups, exchanged, and joined, and another one."""
    b = Builder("shuffled")
    x = b.input("x", "float32", ("n", 3, 5, 4))
    weights = {
        name: RNG.standard_normal(s).astype(np.float32)
        for name, s in (("a", (6, 3, 1, 1)), ("b", (2, 6, 3, 3)))
    }
    y = b.add("Conv", [x, b.weight("a", weights["a"])])
    apart = (0, groups, 6 // groups, 5, 4)
    y = b.add("Reshape", [y, b.constant(np.array(apart))])
    if between is not None:
        y = b.add(between, [y])
    y = b.add("Transpose", [y], {"perm": axes})
    y = b.add("Reshape", [y, b.constant(np.array((0, 6, 5, 4)))])
    b.output(b.add("Conv", [y, b.weight("b", weights["b"])], {"pads": (1, 1, 1, 1)}), "y")
    return b.network()


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("between", [None, "Relu"])
def test_channels_in_another_order(framework, groups, between):
    network = shuffled(groups, (0, 2, 1, 3, 4), between)
    x = RNG.standard_normal((2, 3, 5, 4)).astype(np.float32)
    gradients = close_to_the_reference(network, x, framework)
    exact = network.gradients(
        {"x": x},
        {"y": np.cos(np.arange(80)).reshape(2, 2, 5, 4).astype(np.float32)},
        framework=TESTED[0],
    )
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, exact[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_examples_are_no_channels(framework):
    """[n, c, h, w] as [n / 2, 2, c, h, w] splits no channels, though its sides are the same."""
    b = Builder("examples")
    x = b.input("x", "float32", (4, 3, 5, 4))
    kernel = RNG.standard_normal((6, 3, 1, 1)).astype(np.float32)
    y = b.add("Conv", [x, b.weight("a", kernel)])
    y = b.add("Reshape", [y, b.constant(np.array((2, 2, 6, 5, 4)))])
    y = b.add("Transpose", [y], {"perm": (0, 2, 1, 3, 4)})
    b.output(b.add("Reshape", [y, b.constant(np.array((2, 12, 5, 4)))]), "y")
    array = RNG.standard_normal((4, 3, 5, 4)).astype(np.float32)
    gradients = close_to_the_reference(b.network(), array, framework)
    seed = np.cos(np.arange(480)).reshape(2, 6, 2, 5, 4).transpose(0, 2, 1, 3, 4)
    slope = np.einsum("oc,nohw->nchw", kernel[:, :, 0, 0], seed.reshape(4, 6, 5, 4))
    np.testing.assert_allclose(gradients["x"], slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sides", [(1,), (1, 1), (1, 1, 1)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_convolution_of_single_places(framework, sides, bias):
    b = Builder("points")
    x = b.input("x", "float32", ("n", 4, *sides))
    inputs = [x, b.weight("w", RNG.standard_normal((3, 4, *sides)).astype(np.float32))]
    if bias:
        inputs.append(b.weight("b", np.array([1, -2, 3], np.float32)))
    b.output(b.add("Conv", inputs), "y")
    network = b.network()
    array = RNG.standard_normal((5, 4, *sides)).astype(np.float32)
    gradients = close_to_the_reference(network, array, framework)
    seed = np.cos(np.arange(15)).reshape(5, 3)
    np.testing.assert_allclose(
        gradients["w"].reshape(3, 4), seed.T @ array.reshape(5, 4), rtol=1e-4, atol=1e-5
    )


def test_the_zoo_has_them():
    assert "Swish" in operators(zoo.efficientnet_b0(10, (3, 32, 32)))
