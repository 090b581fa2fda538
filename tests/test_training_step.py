"""A framework's trainer makes the canonical step: the plan carried out by hand.

It may use the framework's own optimizers.
"""

from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.frameworks import framework
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network import zoo
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.optimizer_options import OPTIMIZERS
from allotrope.tasks.probabilities import softmax
from planned import answers, batch_for, planned

RANDOM = np.random.default_rng(3)
IMAGES = RANDOM.integers(0, 256, (3, 16, 5, 5, 1), np.uint8)
TARGETS = np.eye(4, dtype=np.float32)[RANDOM.integers(0, 4, (3, 16))]
RECIPE = Recipe(momentum=0.8, beta2=0.9, epsilon=1e-3, weight_decay=0.02, label_smoothing=0.1)
RATES = (0.02, 0.05, 0.03)


@pytest.fixture(scope="module", params=["pytorch"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def network():
    return with_preprocessing(
        zoo.mlp(4, (1, 5, 5), hidden=(7,), activation="tanh", normalization="none"), [120.0], [60.0]
    )


def gradients(network, weights, images, target, name):
    """Of the loss with respect to every trainable weight.

    Softmax and cross-entropy are differentiated by hand, the rest by the framework.
    """
    current = network.with_weights(
        {key: np.asarray(value, np.float32) for key, value in weights.items()}
    )
    logits = current.run({"image": images}, name)["logits"]
    smooth = 0.9 * target + 0.1 / 4
    output = ((softmax(logits) - smooth) / len(images)).astype(np.float32)
    slopes = current.gradients({"image": images}, {"logits": output}, name)
    return {key: slopes[key].astype(np.float64) for key in network.trainable}


def by_hand(network, plan, name):
    p = ReferencePrimitives()
    weights = {key: value.astype(np.float64) for key, value in network.weights.items()}
    slots = {key: plan.optimizer.slots(p, weights[key]) for key in network.trainable}
    average = dict(weights)
    for step, (images, target, rate) in enumerate(zip(IMAGES, TARGETS, RATES, strict=True), 1):
        slopes = gradients(network, weights, images, target, name)
        norm = np.sqrt(sum((slope**2).sum() for slope in slopes.values()))
        factor = min(1.0, plan.clip_norm / norm) if plan.clip_norm else 1.0
        for key in network.trainable - plan.frozen:
            scaled = rate * plan.learning_rate_scale.get(key, 1.0)
            decay = plan.weight_decay.get(key, 0.0)
            weights[key], slots[key] = plan.optimizer.update(
                p, weights[key], factor * slopes[key], slots[key], scaled, decay, step
            )
        if plan.average is not None:
            share = min(plan.average, (1 + step) / (10 + step))
            average = {key: share * average[key] + (1 - share) * weights[key] for key in weights}
    if plan.optimizer.delivers_another:
        return weights | {
            key: plan.optimizer.delivered(p, weights[key], slots[key]) for key in slots
        }
    return average if plan.average is not None else weights


def trained(network, plan, name, **settings):
    trainer = framework(name).trainer(network, plan, Settings(threads=1, **settings))
    for step, (images, target, rate) in enumerate(zip(IMAGES, TARGETS, RATES, strict=True), 1):
        trainer.step(batch_for(network, images, target), rate, step)
    return trainer.weights()


def assert_same(network, weights, expected, tolerance=2e-5):
    for key in network.trainable:
        moved = np.abs(expected[key] - network.weights[key]).max()
        assert moved > 1e-4, f"{key} has not moved, so nothing is compared"
        assert np.abs(weights[key] - expected[key]).max() < tolerance * max(1.0, moved), key


@pytest.mark.parametrize("decay_kind", ["l2", "decoupled"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_makes_the_canonical_step(network, name, optimizer, decay_kind):
    plan = planned(network, replace(RECIPE, optimizer=optimizer, decay_kind=decay_kind), np.ones(4))
    # At these rates some move weights by little beside others.
    faster = {"lars": 300.0, "adafactor": 20.0}.get(optimizer, 1.0)
    plan = replace(plan, learning_rate_scale=dict.fromkeys(network.trainable, faster))
    assert_same(network, trained(network, plan, name), by_hand(network, plan, name))


@pytest.mark.parametrize(
    "options",
    [
        {"clip_norm": 0.05},
        {"average": 0.99},
        {"average": 0.1},
        {"decay_all": True},
        {"class_weights": "balanced"},
    ],
)
def test_every_option_of_the_step(network, name, options):
    plan = planned(network, replace(RECIPE, learning_rate=0.1, **options), np.ones(4))
    assert_same(network, trained(network, plan, name), by_hand(network, plan, name))


def test_each_weight_has_its_own_rate_and_decay(network, name):
    first, second = sorted(network.trainable)[:2]
    plan = replace(
        planned(network, RECIPE, np.ones(4)),
        learning_rate_scale={first: 5.0},
        weight_decay={second: 0.5},
    )
    assert_same(network, trained(network, plan, name), by_hand(network, plan, name))


def test_frozen_weights_stay(network, name):
    frozen = frozenset(sorted(network.trainable)[:1])
    weights = trained(network, planned(network, RECIPE, np.ones(4), frozen), name)
    assert all(
        np.array_equal(weights[key], network.weights[key]) == (key in frozen)
        for key in network.trainable
    )


def test_a_planted_difference_is_found(network, name):
    plan = planned(network, RECIPE, np.ones(4))
    other = planned(network, replace(RECIPE, momentum=0.81), np.ones(4))
    with pytest.raises(AssertionError):
        assert_same(network, trained(network, other, name), by_hand(network, plan, name))


@pytest.mark.parametrize("settings", [{"layout": "channels-last"}, {"precision": "bfloat16"}])
def test_settings_change_speed_and_not_meaning(network, name, settings):
    plan = planned(network, RECIPE, np.ones(4))
    tolerance = 2e-5 if "layout" in settings else 0.02
    assert_same(
        network, trained(network, plan, name, **settings), by_hand(network, plan, name), tolerance
    )


def test_the_averaged_state_is_delivered_and_evaluated(name):
    """BatchNorm's running statistics are averaged along with the weights."""
    network = with_preprocessing(
        zoo.mlp(4, (1, 5, 5), hidden=(7,), normalization="batch"), [120.0], [60.0]
    )
    state = sorted(network.weights.keys() - network.trainable)
    running = next(key for key in state if "mean" in key)
    plain = trained(network, planned(network, RECIPE, np.ones(4)), name)
    averaged = trained(network, planned(network, replace(RECIPE, average=0.9), np.ones(4)), name)
    between = (
        np.abs(averaged[running] - network.weights[running]).sum()
        / np.abs(plain[running] - network.weights[running]).sum()
    )
    assert 0.3 < between < 0.95
    trainer = framework(name).trainer(
        network.with_weights(averaged), planned(network, RECIPE, np.ones(4)), Settings(threads=1)
    )
    other = framework(name).trainer(
        network, planned(network, replace(RECIPE, average=0.9), np.ones(4)), Settings(threads=1)
    )
    for step, (images, target, rate) in enumerate(zip(IMAGES, TARGETS, RATES, strict=True), 1):
        other.step(batch_for(network, images, target), rate, step)
    assert np.allclose(
        answers(trainer, network, IMAGES[0]), answers(other, network, IMAGES[0]), atol=1e-5
    )
