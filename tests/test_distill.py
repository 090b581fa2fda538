"""A teacher's answers as targets: the loss that is meant, and a network that learns from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.data.batches import Batches
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network import zoo
from allotrope.shrinking.distill import distillation
from allotrope.tasks import Classification, MultiLabel, Regression
from allotrope.tasks.distilled import distilled_loss, taught_targets
from allotrope.tasks.probabilities import log_softmax, softmax
from allotrope.training.loop import train
from allotrope.training.plan import training_plan
from planned import of_digits
from tested import TESTED

RECIPE = Recipe(learning_rate=0.2, batch_size=64, epochs=2, augmentation="none", mixup=0.5)
SETTINGS = Settings(threads=1)


def mlp(hidden, seed=0):
    return of_digits(zoo.mlp(10, (1, 8, 8), hidden=(hidden,), seed=seed))


@pytest.fixture(scope="module")
def teacher(digits):
    return train(mlp(64), digits, RECIPE, SETTINGS).network


def loss_of(task, labels, answers, output, weights=None, share=0.9):
    """The distilled loss in float64."""
    targets = {task.name: labels, **taught_targets([task], {task.name: answers})}
    wide = {name: x.astype(np.float64) for name, x in targets.items()}
    compute = distilled_loss([task], share)
    return float(compute(ReferencePrimitives(), {task.name: output}, wide, weights or {}))


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_classes_are_taught_at_a_temperature(random):
    task = Classification(name="label", classes=("a", "b", "c"))
    labels, (answers, output) = np.eye(3), random.normal(0, 3, (2, 3, 3))
    of_labels = -np.mean(np.sum(labels * log_softmax(output), 1))
    soft = softmax(answers / 4)
    of_teacher = -np.mean(np.sum(soft * log_softmax(output / 4), 1))
    meant = 0.1 * of_labels + 0.9 * 16 * of_teacher
    assert loss_of(task, labels, answers, output) == pytest.approx(meant, rel=1e-6)


def test_a_quantity_is_taught_as_it_is_answered(random):
    task = Regression(name="price", minimized="mean-absolute-error")
    labels, answers, output = random.normal(0, 1, (3, 5, 1))
    meant = 0.1 * np.abs(output - labels).mean() + 0.9 * np.abs(output - answers).mean()
    assert loss_of(task, labels, answers, output) == pytest.approx(meant, rel=1e-6)


def test_flags_are_taught_as_probabilities(random):
    task = MultiLabel(name="tags", labels=("a", "b"))
    labels = random.integers(0, 2, (5, 2)).astype(float)
    answers, output = random.normal(0, 2, (2, 5, 2))

    def cross_entropy(target):
        p = 1 / (1 + np.exp(-output))
        return -np.mean(target * np.log(p) + (1 - target) * np.log(1 - p))

    meant = 0.1 * cross_entropy(labels) + 0.9 * cross_entropy(1 / (1 + np.exp(-answers)))
    assert loss_of(task, labels, answers, output) == pytest.approx(meant, rel=1e-5)


def test_examples_without_a_label_are_taught_too(random):
    task = Regression(name="price")
    labels, answers, output = random.normal(0, 1, (3, 4, 1))
    known = np.array([1.0, 1.0, 0.0, 0.0])
    meant = 0.1 * np.square(output - labels)[:2].mean() + 0.9 * np.square(output - answers).mean()
    weights = {"price": known}
    assert loss_of(task, labels, answers, output, weights) == pytest.approx(meant, rel=1e-6)


@pytest.mark.parametrize("name", TESTED)
def test_a_step_is_the_same_in_every_framework(digits, teacher, name):
    """On mixed examples, of which the teacher is asked as they are."""
    teaching = distillation(teacher, digits, RECIPE, name, Settings())
    batch = teaching.teach(Batches(digits, RECIPE).batch(0, 0), lambda inputs: {})
    assert len(np.unique(batch.targets["label"])) > 2  # they are mixed
    student = mlp(8, seed=1)
    plan = training_plan(student, RECIPE, teaching.loss(digits.tasks))
    trainer = find_framework(name).trainer(student, plan, Settings())
    loss = float(trainer.step(batch, 0.1, 1))
    output = student.run(batch.inputs, "reference")["label"].astype(np.float64)
    answers = teacher.run(batch.inputs, "reference")["label"]
    meant = loss_of(digits.tasks[0], batch.targets["label"], answers, output)
    assert loss == pytest.approx(meant, rel=1e-5)


def with_wrong_labels(data: Data) -> Data:
    """The data with labels in training that say nothing."""
    labels = np.random.default_rng(0).permutation(data.train["label"])
    train = replace(data.train, columns={**data.train.columns, "label": labels})
    return replace(data, splits={**data.splits, "train": train})


def test_what_is_learned_is_the_teachers(digits, teacher):
    """Labels that say nothing spoil a training, and not one that asks the teacher alone."""
    wrong, recipe = with_wrong_labels(digits), replace(RECIPE, mixup=None)
    teaching = distillation(teacher, digits, recipe, "pytorch", SETTINGS, share=1.0)
    alone = train(mlp(32, seed=1), wrong, recipe, SETTINGS)
    taught = train(mlp(32, seed=1), wrong, recipe, SETTINGS, teaching=teaching)
    assert alone.best["validation_accuracy"] < 0.5 < 0.8 < taught.best["validation_accuracy"]


def test_a_taught_training_is_repeated_to_the_bit(digits, teacher):
    def taught():
        teaching = distillation(teacher, digits, RECIPE, "pytorch", SETTINGS)
        recipe = replace(RECIPE, epochs=0.5)
        return train(mlp(8, seed=1), digits, recipe, SETTINGS, teaching=teaching)

    whole, again = taught(), taught()
    for name, array in whole.network.weights.items():
        np.testing.assert_array_equal(again.network.weights[name], array)


def test_a_teacher_for_other_classes_is_named(digits):
    other = of_digits(zoo.mlp(7, (1, 8, 8), hidden=(8,)))
    with pytest.raises(UsageError, match=r"7 numbers for 'label', expected 10"):
        distillation(other, digits, RECIPE, "pytorch", SETTINGS)
    renamed = mlp(8).renamed({"label": "digit"})
    with pytest.raises(UsageError, match="no answer to 'label'"):
        distillation(renamed, digits, RECIPE, "pytorch", SETTINGS)
