"""Trainings that a framework may not be able to begin: no gradients, settings of volumes."""

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import UnsupportedError
from allotrope.frameworks import framework
from allotrope.frameworks.contract import Batch
from allotrope.measure.agreement.computation import squared_error
from allotrope.network.build import Builder
from allotrope.training.plan import training_plan
from tested import TESTED

SIDES, POOLED = (6, 5, 4), (2, 4, 3)
"""Of what is convolved, by axis, and of what is left after a stride of 2 and pooling."""
RANDOM = np.random.default_rng(5)
RECIPE = Recipe(optimizer="momentum", learning_rate=0.1, schedule="constant", weight_decay=0.0)


def trainer_of(network, name, settings):
    plan = training_plan(network, RECIPE, squared_error(1.0))
    return framework(name).trainer(network, plan, settings)


def through_hardmax():
    b = Builder()
    x = b.input("x", np.float32, ("n", 3))
    weight = b.weight("weight", RANDOM.standard_normal((3, 4)).astype(np.float32))
    b.output(b.add("Hardmax", [b.add("MatMul", [x, weight])]), "y")
    return b.network()


@pytest.mark.parametrize("name", TESTED)
def test_a_network_without_gradients_is_refused_or_stays_as_it_is(name):
    network = through_hardmax()
    trainer = trainer_of(network, name, Settings())
    batch = Batch({"x": np.ones((2, 3), np.float32)}, {"y": np.zeros((2, 4), np.float32)})
    if name == "jax":  # whose gradients are zeros
        trainer.step(batch, 0.1, 1)
        np.testing.assert_array_equal(trainer.weights()["weight"], network.weights["weight"])
        return
    with pytest.raises(UnsupportedError, match="no trainable weight has a gradient"):
        trainer.step(batch, 0.1, 1)


def normalized(axes):
    """A convolution over so many axes, batch-normalized, and what is left of it on average."""
    b, ones = Builder(), np.ones(3, np.float32)
    x = b.input("x", np.float32, ("n", 2, *SIDES[:axes]))
    kernel = b.weight("kernel", RANDOM.standard_normal((3, 2, *[3] * axes)).astype(np.float32))
    y = b.add("Conv", [x, kernel], {"pads": [1] * 2 * axes, "strides": [2, 1, 1][:axes]})
    scale, bias = b.weight("scale", ones), b.weight("bias", ones / 2)
    mean = b.weight("mean", 0 * ones, trainable=False)
    variance = b.weight("variance", ones, trainable=False)
    y, *_ = b.add(
        "BatchNormalization", [y, scale, bias, mean, variance], {"training_mode": 1}, outputs=3
    )
    y = b.add("AveragePool", [b.add("Relu", [y])], {"kernel_shape": [2] * axes})
    b.output(y, "y")
    return b.network()


def losses(network, name, settings):
    trainer = trainer_of(network, name, settings)
    axes = len(network.inputs[0].shape) - 2
    x = np.random.default_rng(1).standard_normal((2, 2, *SIDES[:axes])).astype(np.float32)
    batch = Batch({"x": x}, {"y": np.zeros((2, 3, *POOLED[:axes]), np.float32)})
    return [float(trainer.step(batch, 1e-3, step)) for step in (1, 2, 3)]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("name", TESTED)
def test_networks_over_any_axes_train_alike_in_every_setting(name, axes):
    network = normalized(axes)
    every = [settings for settings in framework(name).settings() if not settings.compiled]
    expected = losses(network, "pytorch", Settings())
    assert expected[2] < expected[0]
    for settings in every or framework(name).settings():
        tolerance = 1e-5 if settings.precision == "float32" else 2e-2
        own = losses(network, name, settings)
        np.testing.assert_allclose(own, expected, rtol=tolerance, err_msg=str(settings))
