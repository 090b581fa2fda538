"""Trainings that a framework may not be able to begin: no gradients, volumes laid channels last."""

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

RANDOM = np.random.default_rng(5)
RECIPE = Recipe(optimizer="momentum", learning_rate=0.1, schedule="constant", weight_decay=0.0)


def trainer_of(network, name, layout):
    plan = training_plan(network, RECIPE, squared_error(1.0))
    return framework(name).trainer(network, plan, Settings(layout=layout))


def through_hardmax():
    b = Builder()
    x = b.input("x", np.float32, ("n", 3))
    weight = b.weight("weight", RANDOM.standard_normal((3, 4)).astype(np.float32))
    b.output(b.add("Hardmax", [b.add("MatMul", [x, weight])]), "y")
    return b.network()


@pytest.mark.parametrize("name", TESTED)
def test_a_network_without_gradients_is_refused_or_stays_as_it_is(name):
    network = through_hardmax()
    trainer = trainer_of(network, name, "default")
    batch = Batch({"x": np.ones((2, 3), np.float32)}, {"y": np.zeros((2, 4), np.float32)})
    if name == "jax":  # whose gradients are zeros
        trainer.step(batch, 0.1, 1)
        np.testing.assert_array_equal(trainer.weights()["weight"], network.weights["weight"])
        return
    with pytest.raises(UnsupportedError, match="no trainable weight has a gradient"):
        trainer.step(batch, 0.1, 1)


def over_volumes():
    b = Builder()
    x = b.input("x", np.float32, ("n", 2, 6, 5, 4))
    kernel = b.weight("kernel", RANDOM.standard_normal((3, 2, 3, 3, 3)).astype(np.float32))
    y = b.add("Conv", [x, kernel], {"pads": [1] * 6, "strides": [2, 1, 1]})
    y = b.add("AveragePool", [b.add("Relu", [y])], {"kernel_shape": [2, 2, 2]})
    b.output(y, "y")
    return b.network()


def losses(network, name, layout):
    trainer = trainer_of(network, name, layout)
    x = np.random.default_rng(1).standard_normal((2, 2, 6, 5, 4)).astype(np.float32)
    batch = Batch({"x": x}, {"y": np.zeros((2, 3, 2, 4, 3), np.float32)})
    return [float(trainer.step(batch, 1e-3, step)) for step in (1, 2, 3)]


@pytest.mark.parametrize("name", TESTED)
def test_volumes_train_alike_in_every_layout(name):
    network = over_volumes()
    layouts = {settings.layout for settings in framework(name).settings()}
    every = {layout: losses(network, name, layout) for layout in layouts}
    for layout, own in every.items():
        assert own[2] < own[0]
        np.testing.assert_allclose(own, every["default"], rtol=1e-5, err_msg=layout)
