"""Axes at the ends of what ONNX allows: one past the last, and those counted from behind."""

import numpy as np
import pytest

import converted
from allotrope.network.build import Builder
from allotrope.verbs.convert import TARGETS
from tested import TESTED

SHAPES = {"row": (7,), "matrix": ("n", 5), "text": ("n", 3, 5), "picture": ("n", 3, 4, 5)}


@pytest.fixture(params=[name for name in TARGETS if name in TESTED])
def target(request):
    return request.param


def flattened(held_last):
    """Every Flatten of arrays of one to four axes.

    The picture comes from the input or, with its channels held last, from a convolution.
    """
    b = Builder("flattened")
    for name, shape in SHAPES.items():
        x = b.input(name, "float32", shape)
        if name == "picture" and held_last:
            random = np.random.default_rng(0)
            kernel = random.standard_normal((2, 3, 1, 1)).astype(np.float32)
            x = b.add("Conv", [x, b.weight("kernel", kernel)])
        for axis in range(-len(shape), len(shape) + 1):
            b.output(b.add("Flatten", [x], {"axis": axis}), f"{name} at {axis}")
    return b.network()


@pytest.mark.parametrize("held_last", [False, True])
def test_flatten_at_every_axis(target, held_last, tmp_path):
    network = flattened(held_last)
    random = np.random.default_rng(1)
    inputs = {
        name: random.standard_normal([2 if n == "n" else n for n in shape]).astype(np.float32)
        for name, shape in SHAPES.items()
    }
    expected = network.run(inputs)
    outputs = converted.opened(network, target, tmp_path)(list(inputs.values()))
    for (name, one), other in zip(expected.items(), outputs, strict=True):
        assert one.shape == other.shape, name
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=name)
