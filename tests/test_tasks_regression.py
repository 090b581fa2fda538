"""Regression: losses against PyTorch's, figures against scikit-learn's, units restored."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from allotrope.config import Recipe
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.tasks import Regression
from allotrope.tasks.regression_losses import REGRESSION_LOSSES, regression_loss
from allotrope.testing import TaskContract
from tested import InEach

torch = pytest.importorskip("torch")
RANDOM = np.random.default_rng(1)
AGES = RANDOM.gamma(4, 10, 200)
BOXES = RANDOM.uniform([0, 100], [10, 900], (200, 2))


def learned(task, labels):
    return task.trained_by(Recipe(loss="huber"), labels)


def nearly(task, labels):
    noise = 0.05 * RANDOM.standard_normal((len(labels), task.size))
    return task.encode(labels).targets + noise.astype(np.float32)


class TestAge(InEach, TaskContract):
    task = Regression(name="age", unit="years").trained_by(Recipe(), AGES)
    labels = AGES
    right = nearly(task, AGES)
    gappy = np.where(np.arange(200) % 5 == 0, np.nan, AGES)


class TestAgeByMedian(TestAge):
    task = TestAge.task.trained_by(Recipe(loss="mean-absolute-error"), AGES).decided_by("mae")


class TestBoxes(InEach, TaskContract):
    task = learned(Regression(name="box", parts=("x", "y")), BOXES).decided_by("r2")
    labels = BOXES
    right = nearly(task, BOXES)
    gaps = np.stack([np.arange(200) % 5 == 0, np.arange(200) % 10 == 0], 1)
    gappy = np.where(gaps, np.nan, BOXES)


def test_targets_are_standardized_by_what_is_known_in_training():
    task = Regression(name="age").trained_by(Recipe(), np.array([1.0, np.nan, 3.0]))
    assert (task.mean, task.deviation) == ((2.0,), (1.0,))
    targets, weights = task.encode(np.array([1.0, np.nan, 5.0]))
    assert targets.tolist() == [[-1.0], [0.0], [3.0]] and weights.tolist() == [1, 0, 1]


def test_large_numbers_close_together_are_told_apart():
    seconds = 1_700_000_000 + np.arange(100.0)
    task = Regression(name="time").trained_by(Recipe(), seconds)
    targets = task.encode(seconds).targets
    assert len(np.unique(targets)) == 100
    np.testing.assert_allclose(task.answers(targets)[:, 0], seconds, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean-squared-error", torch.nn.functional.mse_loss),
        ("mean-absolute-error", torch.nn.functional.l1_loss),
        ("huber", torch.nn.functional.huber_loss),
    ],
)
def test_losses_are_pytorchs(name, expected):
    output, target = RANDOM.standard_normal((50, 2)) * 2, RANDOM.standard_normal((50, 2))
    loss = regression_loss(ReferencePrimitives(), name, output, target, None)
    theirs = expected(torch.from_numpy(output), torch.from_numpy(target))
    assert float(loss) == pytest.approx(float(theirs), rel=1e-12)
    assert name in REGRESSION_LOSSES


def test_figures_are_scikit_learns():
    answers = AGES + RANDOM.standard_normal(200)
    task = Regression(name="age")
    account = task.account(answers[:, None], AGES)
    assert account["rmse"] == pytest.approx(metrics.root_mean_squared_error(AGES, answers))
    assert account["mae"] == pytest.approx(metrics.mean_absolute_error(AGES, answers))
    assert account["r2"] == pytest.approx(metrics.r2_score(AGES, answers))
    errors = np.abs(answers - AGES)
    assert account["quantiles"]["p90"] == pytest.approx(np.percentile(errors, 90))


def test_the_worst_examples_come_first():
    task, answers = Regression(name="age"), np.zeros((4, 1))
    worst = task.account(answers, np.array([1.0, -7.0, np.nan, 3.0]), listed=2)["worst"]
    assert worst == [
        {"index": 1, "true": -7.0, "predicted": 0.0, "error": 7.0},
        {"index": 3, "true": 3.0, "predicted": 0.0, "error": -3.0},
    ]


def test_a_row_of_numbers_has_an_account_a_number():
    parts = TestBoxes.task.account(TestBoxes.right, BOXES)["parts"]
    assert list(parts) == ["x", "y"]
    assert parts["y"]["rmse"] > 10 * parts["x"]["rmse"]


def test_points_of_a_plot_are_few_and_reach_from_end_to_end():
    many = RANDOM.standard_normal(5000)
    shown = Regression(name="age").account(many[:, None], many)["points"]
    assert len(shown) == 400
    assert shown[0][0] == many.min() and shown[-1][0] == many.max()


@pytest.mark.parametrize(
    ("split", "labels", "problem"),
    [
        ("train", [4.0, 4.0, np.nan], "'age' is always 4 in train"),
        ("test", [np.nan, np.nan], "'age' has no label in test"),
        ("test", [1.0, np.inf, -np.inf], "'age' has 2 infinite values in test (rows 1, 2)"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_named(split, labels, problem):
    assert Regression(name="age").problems(split, np.array(labels)) == [problem]


def test_each_number_that_never_varies_is_named():
    task = Regression(name="box", mean=(0.0,) * 3, deviation=(1.0,) * 3, parts=("x", "y", "z"))
    labels = np.array([[1, 2, np.nan], [1, 3, np.nan]])
    assert task.problems("train", labels) == [
        "'x' is always 1 in train",
        "'z' has no label in train",
    ]
