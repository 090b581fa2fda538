"""Sharpness-aware minimization in every framework, against the same in NumPy by hand."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.frameworks import framework as find
from allotrope.frameworks.contract import Batch
from allotrope.frameworks.widening import widened
from allotrope.network.build import Builder
from allotrope.tasks import Classification
from allotrope.tasks.several import joint_loss
from allotrope.training.plan import training_plan
from tested import TESTED

RANDOM = np.random.default_rng(4)
WEIGHT, X = RANDOM.standard_normal((3, 5)), RANDOM.standard_normal((8, 5))
TARGETS = np.eye(3)[RANDOM.integers(0, 3, 8)]
RATE, FAR, STEPS = 0.3, 0.2, 6


def linear():
    b = Builder()
    weight = b.weight("weight", WEIGHT.astype(np.float32))
    x = b.input("x", "float32", ("n", 5))
    b.output(b.add("Gemm", [x, weight], {"transB": 1}), "logits")
    network = widened(b.network())
    return network.with_weights({"weight": WEIGHT})


def gradient(weight):
    raised = np.exp(X @ weight.T)
    return (raised / raised.sum(axis=1, keepdims=True) - TARGETS).T @ X / len(X)


def by_hand(far):
    weight = WEIGHT.copy()
    for _ in range(STEPS):
        slope = gradient(weight)
        weight = weight - RATE * gradient(weight + far * slope / np.linalg.norm(slope))
    return weight


@pytest.mark.parametrize("framework", TESTED)
def test_sharpness_aware_steps_are_those_by_hand(framework):
    network = linear()
    task = Classification(name="logits", classes=("a", "b", "c"))
    recipe = Recipe(optimizer="sgd", weight_decay=0.0, sam=FAR)
    plan = training_plan(network, recipe, joint_loss((task,)))
    trainer = find(framework).trainer(network, plan, Settings())
    for step in range(1, STEPS + 1):
        trainer.step(Batch({"x": X}, {"logits": TARGETS}), RATE, step)
    np.testing.assert_allclose(trainer.weights()["weight"], by_hand(FAR), atol=1e-10)
    assert np.abs(by_hand(FAR) - by_hand(0.0)).max() > 1e-3
