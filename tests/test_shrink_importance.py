"""What each group of weights counts: by magnitude, and by the loss of the task."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.frameworks.contract import Batch
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.shrinking.group_importance import magnitude, taylor
from allotrope.shrinking.groups import groups
from allotrope.shrinking.prune import masked
from allotrope.training.loss_gradients import loss_gradients
from planned import batch_for, planned
from tested import InEach

RANDOM = np.random.default_rng(5)


def two_layers(first, second):
    """x [n, 3] -> relu(x w) v, so that unit i is column i of w and row i of v."""
    b = Builder("two")
    x = b.input("x", np.float32, ("n", 3))
    w = b.weight("w", np.asarray(first, np.float32))
    v = b.weight("v", np.asarray(second, np.float32))
    hidden = b.add("Relu", [b.add("MatMul", [x, w])])
    b.output(b.add("MatMul", [hidden, v]), "y")
    return b.network()


def test_magnitude_orders_units_by_what_makes_and_takes_them():
    scale = np.array([3.0, 1.0, 0.0, 2.0])
    network = two_layers(np.ones((3, 4)) * scale, np.ones((4, 2)) * scale[:, None])
    known = groups(network)
    importance = magnitude(network, known)
    assert importance.dtype == np.float64
    assert np.argsort(importance).tolist() == [2, 1, 3, 0]
    # 2 axes; squares 9, 1, 0, 4, each by the sum of those that are as large.
    np.testing.assert_allclose(importance, [2, 2 / 14, 0, 8 / 13])


def test_magnitude_does_not_depend_on_how_large_a_layer_is():
    network = zoo.resnet8(4, (3, 8, 8))
    known = groups(network)
    larger = network.with_weights({n: 7 * network.weights[n] for n in network.trainable})
    np.testing.assert_allclose(magnitude(larger, known), magnitude(network, known))


def test_magnitude_leaves_biases_and_statistics_out():
    network = zoo.cnn(4, (3, 8, 8), channels=(4, 8), normalization="batch")
    known = groups(network)
    noisy = {
        name: array + RANDOM.random(array.shape).astype(np.float32)
        for name, array in network.weights.items()
        if name.endswith(("bias", "running_mean", "running_var"))
    }
    assert len(noisy) >= 6
    moved = network.with_weights(noisy)
    np.testing.assert_array_equal(magnitude(moved, known), magnitude(network, known))


def test_taylor_is_the_squared_sum_of_weight_times_gradient():
    network = two_layers(RANDOM.normal(size=(3, 4)), RANDOM.normal(size=(4, 2)))
    known = groups(network)
    slopes = [
        {name: RANDOM.normal(size=array.shape) for name, array in network.weights.items()}
        for _ in range(3)
    ]
    batches = [Batch({"x": np.full((1, 3), number, np.float32)}, {}) for number in range(3)]
    importance = taylor(network, known, lambda b: slopes[int(b.inputs["x"][0, 0])], batches)
    w, v = network.weights["w"], network.weights["v"]
    sums = [(w * s["w"]).sum(axis=0) + (v * s["v"]).sum(axis=1) for s in slopes]
    np.testing.assert_allclose(importance, np.mean(np.square(sums), axis=0))
    assert (taylor(network, known, lambda b: {}, batches) == 0).all()


class TestInFrameworks(InEach):
    def test_loss_gradients_are_those_of_the_loss(self, name):
        network = zoo.mlp(4, (1, 5, 5), hidden=(6,), normalization="none")
        x = RANDOM.random((8, 1, 5, 5)).astype(np.float32)
        target = np.eye(4, dtype=np.float32)[RANDOM.integers(0, 4, 8)]
        plan = planned(network, Recipe(weight_decay=0.1, clip_norm=1e-3), np.ones(4))
        gradients = loss_gradients(network, plan, Settings(), name)
        gradients(batch_for(network, x[::-1].copy(), target))
        second = gradients(batch_for(network, x, target))
        logits = network.run({"x": x}, name)["logits"]
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        slope = (exponents / exponents.sum(axis=1, keepdims=True) - target) / len(x)
        expected = network.gradients({"x": x}, {"logits": slope}, name)
        assert second.keys() == network.trainable
        for weight, array in second.items():
            np.testing.assert_allclose(array, expected[weight], rtol=1e-4, atol=1e-6)


def test_taylor_ranks_units_as_the_loss_without_them_does():
    """Units that make little of the output change the loss least."""
    network = two_layers(RANDOM.normal(size=(3, 12)), RANDOM.normal(size=(12, 2)) * 1e-3)
    known = groups(network)
    x = RANDOM.normal(size=(64, 3)).astype(np.float32)
    target = RANDOM.normal(size=(64, 2)).astype(np.float32)

    def loss(some):
        return float(np.square(some.run({"x": x})["y"] - target).sum())

    def gradients(batch):
        y = network.run(batch.inputs)["y"]
        slopes = (2 * (y - batch.targets["y"])).astype(np.float32)
        by_name = network.gradients(batch.inputs, {"y": slopes}, "pytorch")
        return {name: by_name[name] for name in network.trainable}

    importance = taylor(network, known, gradients, [Batch({"x": x}, {"y": target})])
    change = [abs(loss(masked(network, [group.number], known)) - loss(network)) for group in known]
    ranks = [np.argsort(np.argsort(values)) for values in (importance, change)]
    assert np.corrcoef(*ranks)[0, 1] > 0.9


@pytest.mark.parametrize("build", [zoo.resnet20, zoo.mobilenet_v2])
def test_every_group_of_a_network_counts_something(build):
    network = build(4, (3, 32, 32))
    importance = magnitude(network, groups(network))
    assert (importance > 0).all()
    assert np.isfinite(importance).all()
