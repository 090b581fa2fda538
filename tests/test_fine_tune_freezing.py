"""What of a network learns: frozen weights, those that learn slowly, batch normalization.

The last stays as it is or is put back.
"""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.architectures.choose import choose_recipe
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.network.rewriting.batchnorm import with_batchnorm, with_still_batchnorm
from onnx_models import model, node, tensor
from planned import planned
from tuned import F, classifier, drawn, images, linear, ready, taught


def test_frozen_weights_and_those_that_learn_slowly(digits):
    tuned = ready(classifier(), digits, freeze=("c1.*",))
    recipe, reasons = choose_recipe(digits, tuned.learning, {"backbone_rate": 0.2})
    plan = planned(tuned.learning, recipe, np.ones(10))
    assert tuned.frozen == ("c1.bias", "c1.weight")
    assert not set(tuned.frozen) & tuned.learning.trainable
    assert plan.learning_rate_scale == dict.fromkeys(
        ("bn.weight", "bn.bias", "c2.weight", "c2.bias"), 0.2
    )
    assert any("gentle recipe" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("knows", "options", "rate"),
    [(True, {}, 3e-4), (False, {}, 1e-3), (True, {"learning_rate": 0.01}, 0.01)],
)
def test_steps_are_small_if_it_knows_the_classes_and_has_no_normalization(
    digits, knows, options, rate
):
    theirs = taught(digits.train) if knows else linear([1, 8, 8])
    tuned = ready(theirs, digits, mean=(0.0,), std=(255.0,))
    assert tuned.knows_classes == knows
    recipe, reasons = choose_recipe(
        digits, tuned.learning, options, knows_classes=tuned.knows_classes
    )
    assert recipe.learning_rate == pytest.approx(rate)
    assert any("no normalization" in reason for reason in reasons) == (knows and not options)


IDENTITY = [node("Conv", "x k", "c"), node("Relu", "c", "p")], {"k": np.ones((1, 1, 1, 1), F)}


@pytest.mark.parametrize(("asked", "restored"), [(None, True), (False, False), (True, True)])
def test_what_was_folded_away_is_put_back_if_it_knows_the_classes(digits, asked, restored):
    nodes, arrays = IDENTITY
    theirs = taught(digits.train, *nodes, **arrays)
    tuned = ready(theirs, digits, mean=(0.0,), std=(255.0,), restore_batchnorm=asked)
    operators = [n.operator for n in tuned.network.graph.nodes]
    assert tuned.knows_classes and ("BatchNormalization" in operators) == restored
    said = [note for note in tuned.notes if "--no-restore-batchnorm" in note]
    assert len(said) == (asked is None)
    recipe, _ = choose_recipe(digits, tuned.learning, knows_classes=True)
    assert recipe.learning_rate == pytest.approx(1e-3 if restored else 3e-4)


def test_nothing_is_put_back_in_a_network_that_has_not_learned_these_classes(digits):
    nodes, arrays = IDENTITY
    tuned = ready(linear([1, 8, 8], before=nodes, **arrays), digits, mean=(0.0,), std=(255.0,))
    operators = [n.operator for n in tuned.network.graph.nodes]
    assert not tuned.knows_classes and "BatchNormalization" not in operators


def test_a_network_with_normalization_takes_usual_steps(digits):
    network = ready(classifier(), digits).learning
    recipe, _ = choose_recipe(digits, network, knows_classes=True)
    assert recipe.learning_rate == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            ("c3.*", "fc.*"),
            r"--freeze 'c3\.\*' \(near: .*\) matches no trainable weight. "
            "They are called bn.bias, bn.weight, c1.bias",
        ),
        (("*",), "leaves no weight to learn: all 8 are frozen"),
    ],
)
def test_patterns_that_freeze_nothing_or_all(digits, patterns, message):
    with pytest.raises(UsageError, match=message):
        ready(classifier(), digits, freeze=patterns)


def test_a_new_head_learns_if_all_is_frozen(digits):
    tuned = ready(classifier(), digits, new_head=True, freeze=("*",))
    assert tuned.learning.trainable == {"fc.weight", "fc.bias"} and len(tuned.frozen) == 6


def test_a_frozen_batch_normalization_stays_as_it_is_in_training():
    network = allotrope.load(classifier())
    network = network.with_weights({"bn.mean": drawn(12), "bn.var": np.abs(drawn(12)) + 0.5})
    still = with_still_batchnorm(network, {"bn.weight", "bn.bias"})
    assert "BatchNormalization" not in [n.operator for n in still.graph.nodes]
    assert "bn.mean" not in still.weights
    x = {"x": np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(F)}
    run = find_framework("pytorch").run
    for training in (False, True):
        np.testing.assert_allclose(
            run(still, x, training)["y"], run(network, x)["y"], rtol=1e-4, atol=1e-5
        )
    assert with_still_batchnorm(network, {"bn.weight"}) is network


def test_a_batch_normalization_is_put_back_and_changes_nothing():
    network = allotrope.load(classifier())
    x = {"x": np.random.default_rng(0).standard_normal((16, 1, 8, 8)).astype(F) * 3}
    restored = with_batchnorm(network, x, "pytorch", without={"fc.weight"})
    norms = [n for n in restored.graph.nodes if n.operator == "BatchNormalization"]
    assert len(norms) == 2 and {"c2.norm.weight", "c2.norm.bias"} < restored.trainable
    np.testing.assert_allclose(restored.run(x)["y"], network.run(x)["y"], rtol=1e-5, atol=1e-6)
    moved = restored.with_weights(
        {"c2.norm.running_mean": restored.weights["c2.norm.running_mean"] + 1}
    )
    assert np.abs(moved.run(x)["y"] - network.run(x)["y"]).max() > 1e-3


def test_its_statistics_are_those_of_all_examples():
    made = model(
        [node("Conv", "x w", "c"), node("Relu", "c", "y")],
        [tensor("x", shape=["n", 2, 3, 3])],
        arrays={"w": np.eye(2, dtype=F)[..., None, None]},
    )
    x = np.random.default_rng(0).standard_normal((21, 2, 3, 3)).astype(F) * 2 + 5
    weights = with_batchnorm(allotrope.load(made), {"x": x}, "reference").weights
    np.testing.assert_allclose(weights["c.norm.running_mean"], x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(weights["c.norm.running_var"], x.var((0, 2, 3)), rtol=1e-5)


def test_it_can_be_asked_for_and_is_refused_if_there_is_nothing_to_restore(digits):
    tuned = ready(classifier(), digits, restore_batchnorm=True)
    assert [n.operator for n in tuned.network.graph.nodes].count("BatchNormalization") == 2
    assert any("put back behind 1 convolution" in note for note in tuned.notes)
    with pytest.raises(UsageError, match="--restore-batchnorm found no Conv"):
        ready(linear((3, 4, 6)), images((4, 6, 3)), restore_batchnorm=True)
