"""Gradients in bfloat16 are float32's but for rounding, where kernels of frameworks have none."""

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.frameworks import framework
from allotrope.frameworks.contract import Batch
from allotrope.measure.agreement.computation import squared_error
from allotrope.network.build import Builder
from allotrope.training.plan import training_plan
from tested import TESTED

RECIPE = Recipe(optimizer="sgd", learning_rate=0.1, schedule="constant", weight_decay=0.0)
CONVOLUTIONS = {
    "one place of a sequence": ((16, 1), (32, 16, 3), {"strides": [2], "pads": [1, 1]}),
    "one pixel": ((64, 1, 1), (64, 64, 3, 3), {"strides": [2, 2], "pads": [1] * 4}),
    "two voxels a side": ((16, 2, 2, 2), (32, 16, 3, 3, 3), {"pads": [1] * 6}),
    "flat volume": ((3, 2, 5, 5), (16, 3, 3, 3, 3), {"pads": [1] * 6}),
    "dilated": ((16, 3, 3), (32, 16, 3, 3), {"dilations": [2, 2], "pads": [2] * 4}),
    "depthwise": ((32, 1, 1), (32, 1, 3, 3), {"group": 32, "pads": [1] * 4}),
    "groups": ((32, 1, 1), (64, 16, 3, 3), {"group": 2, "strides": [2, 2], "pads": [1] * 4}),
    "uneven": ((64, 1, 1), (64, 64, 3, 3), {"strides": [2, 2], "pads": [0, 0, 2, 2]}),
}
TRANSPOSED = {
    "transposed": ((64, 1, 1), (64, 64, 3, 3), {"pads": [1] * 4}),
    "transposed, by two": ((64, 1, 1), (64, 64, 2, 2), {"strides": [2, 2]}),
}


def convolved(operator, shape, kernel, attributes):
    random, b = np.random.default_rng(3), Builder()
    x = b.input("x", np.float32, ("n", *shape))
    weight = b.weight("weight", 0.1 * random.standard_normal(kernel).astype(np.float32))
    b.output(b.add(operator, [x, weight], attributes), "y")
    return b.network()


def step_from(network, name, x, steps=1, **settings):
    """What training changes of the weights, in memory that held numbers that are none before."""
    plan = training_plan(network, RECIPE, squared_error(1.0))
    trainer = framework(name).trainer(network, plan, Settings(**settings))
    targets = {"y": np.zeros_like(network.run({"x": x}, "reference")["y"])}
    for step in range(1, steps + 1):
        leave_nan_in_memory(name)
        trainer.step(Batch({"x": x}, targets), 0.1, step)
    return {key: w - network.weights[key] for key, w in trainer.weights().items()}


def leave_nan_in_memory(name):
    """Freed memory is handed out again as it was left."""
    sizes = [10**k for k in range(2, 7) for _ in range(4)]
    if name == "pytorch":
        import torch

        spent = [torch.full((n,), torch.nan) for n in sizes]
    elif name in ("tensorflow", "keras"):
        import tensorflow

        spent = [tensorflow.fill((n,), np.nan) for n in sizes]
    else:
        spent = [np.full(n, np.nan) for n in sizes]
    del spent


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("case", [*CONVOLUTIONS, *TRANSPOSED])
def test_kernels_longer_than_the_image_have_whole_gradients(case, name):
    operator = "ConvTranspose" if case in TRANSPOSED else "Conv"
    shape, kernel, attributes = (CONVOLUTIONS | TRANSPOSED)[case]
    network = convolved(operator, shape, kernel, attributes)
    x = np.random.default_rng(1).standard_normal((2, *shape)).astype(np.float32)
    exact = step_from(network, name, x)["weight"]
    for layout in {s.layout for s in framework(name).settings() if s.precision == "bfloat16"}:
        narrow = step_from(network, name, x, precision="bfloat16", layout=layout)["weight"]
        np.testing.assert_allclose(narrow, exact, atol=0.04 * np.abs(exact).max(), err_msg=layout)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", TESTED)
def test_a_compiled_maximum_knows_its_place_in_bfloat16(name):
    """It is compared with values that the compiler computes again, without rounding them."""
    random, b = np.random.default_rng(4), Builder()
    x = b.input("x", np.float32, ("n", 8, 6, 6))
    weight = b.weight("weight", 0.3 * random.standard_normal((16, 8, 3, 3)).astype(np.float32))
    bias = b.weight("bias", np.zeros(16, np.float32))
    y = b.add("Gelu", [b.add("Conv", [x, weight, bias], {"pads": [1] * 4})])
    b.output(b.add("ReduceMax", [y, b.constant(np.array([2, 3]))], {"keepdims": 0}), "y")
    x = random.standard_normal((4, 8, 6, 6)).astype(np.float32)
    network = b.network()
    exact = step_from(network, name, x)
    narrow = step_from(network, name, x, precision="bfloat16", compiled=True)
    for key, change in exact.items():
        np.testing.assert_allclose(narrow[key], change, atol=0.1 * np.abs(change).max())
