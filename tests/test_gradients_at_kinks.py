"""The gradient at a kink, where there are two.

One choice in every framework, not each framework's own.
"""

import numpy as np
import pytest

from allotrope.network.build import Builder
from tested import TESTED

POOL = {"kernel_shape": (1, 2)}
KINKS = {
    "Relu": ([[0.0]], {}, [[0.0]]),
    "Abs": ([[0.0]], {}, [[0.0]]),
    "LeakyRelu": ([[0.0]], {"alpha": 0.1}, [[0.55]]),
    "PRelu": ([[0.0], [0.2]], {}, [[0.6], [0.0]]),
    "Elu": ([[0.0]], {"alpha": 2.0}, [[1.5]]),
    "Selu": ([[0.0]], {"alpha": 2.0, "gamma": 3.0}, [[4.5]]),
    "Celu": ([[0.0]], {"alpha": 2.0}, [[1.0]]),
    "Softsign": ([[0.0]], {}, [[1.0]]),
    "Clip": ([[0.0, 6.0, -1.0, 7.0], 0.0, 6.0], {}, [[1.0, 1.0, 0.0, 0.0]]),
    "HardSigmoid": ([[-2.0, 2.0]], {"alpha": 0.25, "beta": 0.5}, [[0.25, 0.25]]),
    "HardSwish": ([[-3.0, 3.0, -3.5, 3.5]], {}, [[0.0, 1.0, 0.0, 1.0]]),
    "Max": ([[1.0, 2.0], [1.0, 0.0]], {}, [[0.5, 1.0], [0.5, 0.0]]),
    "Min": ([[1.0, 2.0], [1.0, 0.0]], {}, [[0.5, 0.0], [0.5, 1.0]]),
    "ReduceMax": ([[3.0, 1.0, 3.0]], {}, [[0.5, 0.0, 0.5]]),
    "ReduceMin": ([[3.0, 1.0, 1.0, 1.0]], {}, [[0.0, 1 / 3, 1 / 3, 1 / 3]]),
    "GlobalMaxPool": ([[[[2.0, 2.0]]]], {}, [[[[0.5, 0.5]]]]),
    "MaxPool": ([[[[[2.0, 2.0]]]]], POOL, [[[[1.0, 0.0]]]]),
    "MaxPool with dilations": (
        [[[[[2.0, 9.0, 2.0, 9.0, 1.0]]]]],
        POOL | {"dilations": (1, 2), "strides": (1, 2)},
        [[[[0.5, 0.0, 1.5, 0.0, 0.0]]]],
    ),
}
"""Inputs, attributes, the gradients of the sum of the outputs; inputs that are numbers are
constants."""


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("kink", KINKS)
def test_kinks(name, kink):
    inputs, attributes, expected = KINKS[kink]
    arrays = [np.asarray(value, np.float32) for value in inputs]
    b = Builder()
    names = [
        b.input(f"x{i}", "float32", a.shape) if a.ndim else b.constant(a)
        for i, a in enumerate(arrays)
    ]
    b.output(b.add(kink.split()[0], names, attributes), "y")
    network, values = b.network(), {f"x{i}": a for i, a in enumerate(arrays) if a.ndim}
    seed = np.ones_like(network.run(values, framework=name)["y"])
    gradients = network.gradients(values, {"y": seed}, framework=name)
    for i, gradient in enumerate(expected):
        np.testing.assert_allclose(
            gradients[f"x{i}"], np.reshape(gradient, arrays[i].shape), rtol=1e-6, err_msg=kink
        )
