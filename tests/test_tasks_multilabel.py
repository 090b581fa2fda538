"""Multilabel: loss against PyTorch's, figures against scikit-learn's, thresholds of its own."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.columns import columns_of
from allotrope.tasks import MultiLabel
from allotrope.tasks.flag_losses import binary_cross_entropy, focal_binary_cross_entropy
from allotrope.tasks.thresholds import best_threshold
from allotrope.testing import TaskContract
from allotrope.testing.task_contract import passing
from tested import InEach

torch = pytest.importorskip("torch")
RANDOM = np.random.default_rng(1)
NAMES = ("round", "red", "rare")
FLAGS = (RANDOM.random((300, 3)) < [0.5, 0.3, 0.05]).astype(np.int8)
LOGITS = (RANDOM.standard_normal((300, 3)) + 2 * FLAGS - 2).astype(np.float32)
TASK = MultiLabel(name="tags", labels=NAMES)
GAPS = np.stack([np.arange(300) % 5 == 0] * 3, 1) | (RANDOM.random((300, 3)) < 0.1)


class TestTags(InEach, TaskContract):
    task = TASK
    labels = FLAGS
    right = (8 * (FLAGS - 0.5) + LOGITS / 4).astype(np.float32)
    gappy = np.where(GAPS, -1, FLAGS)


class TestFocalTags(TestTags):
    task = replace(TASK, minimized="focal")


class TestTagsByArea(TestTags):
    task = TASK.decided_by("macro_auc")
    labels = FLAGS.astype(np.float64)
    gappy = np.where(GAPS, np.nan, FLAGS)


class TestTagsWithThresholds(TestTags):
    task = TASK.settled(TestTags.right, FLAGS).decided_by("micro_f1")


def test_the_loss_is_pytorchs():
    target, logits = FLAGS.astype(np.float64), LOGITS.astype(np.float64)
    compute = torch.nn.functional.binary_cross_entropy_with_logits
    theirs = compute(torch.from_numpy(logits), torch.from_numpy(target))
    loss = binary_cross_entropy(ReferencePrimitives(), logits, target)
    assert float(loss) == pytest.approx(float(theirs), rel=1e-12)


def test_the_focal_loss_by_its_formula():
    balance = np.array([[2.0, 1.0, 3.0], [0.5, 1.0, 0.25]], np.float32)
    target, logits = FLAGS.astype(np.float64), LOGITS.astype(np.float64)
    on = 1 / (1 + np.exp(-logits))
    there = -target * (1 - on) ** 2 * np.log(on)
    not_there = -(1 - target) * on**2 * np.log(1 - on)
    expected = (there * balance[0] + not_there * balance[1]).mean()
    loss = focal_binary_cross_entropy(ReferencePrimitives(), logits, target, None, balance)
    assert float(loss) == pytest.approx(expected, rel=1e-9)


def test_balanced_flags_have_half_of_the_sum_each():
    task = TASK.trained_by(Recipe(class_weights="balanced"), np.where(GAPS, -1, FLAGS))
    there = (FLAGS == 1) & ~GAPS
    set_sum = (there * task.balance[0]).sum(axis=0)
    unset_sum = ((FLAGS == 0) & ~GAPS).sum(axis=0) * task.balance[1]
    np.testing.assert_allclose(set_sum, unset_sum, rtol=1e-5)
    np.testing.assert_allclose(set_sum + unset_sum, (~GAPS).sum(axis=0), rtol=1e-5)
    with pytest.raises(UsageError, match="Did you mean 'balanced'"):
        TASK.trained_by(Recipe(class_weights="balance"), FLAGS)


def test_figures_are_scikit_learns():
    scores, account = TASK.scores(LOGITS, FLAGS), TASK.account(LOGITS, FLAGS)
    predicted = LOGITS >= 0
    for average in ("macro", "micro"):
        expected = metrics.f1_score(FLAGS, predicted, average=average)
        assert scores[f"{average}_f1"] == pytest.approx(expected)
    area = metrics.roc_auc_score(FLAGS, LOGITS, average="macro")
    assert scores["macro_auc"] == pytest.approx(area)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(FLAGS, predicted)
    for index, row in enumerate(account["per_label"]):
        assert row["label"] == NAMES[index] and row["support"] == support[index]
        figures = (row["precision"], row["recall"], row["f1"])
        assert figures == pytest.approx((precision[index], recall[index], f1[index]))


def test_thresholds_are_chosen_label_by_label_and_travel_in_the_file():
    task = TASK.settled(LOGITS, FLAGS)
    assert task.scores(LOGITS, FLAGS)["macro_f1"] > TASK.scores(LOGITS, FLAGS)["macro_f1"]
    (facts,) = columns_of(task.finish(passing(task)).metadata)["tasks"]
    assert facts["thresholds"] == list(task.thresholds) and facts["labels"] == list(NAMES)


def test_no_other_threshold_has_a_better_f1():
    probabilities, flags = RANDOM.random(60), RANDOM.random(60) < 0.2
    threshold = best_threshold(probabilities, flags)
    best = metrics.f1_score(flags, probabilities >= threshold)
    assert best == max(metrics.f1_score(flags, probabilities >= each) for each in probabilities)
    assert not np.any(np.abs(probabilities - threshold) < 1e-9)


@pytest.mark.parametrize(
    ("probabilities", "flags", "threshold"),
    [
        ([0.9, 0.8, 0.1], [1, 1, 0], 0.45),
        ([0.2, 0.2, 0.1], [1, 0, 0], 0.15),
        ([0.3, 0.6], [0, 0], 0.5),
        ([0.3, 0.6], [1, 1], 0.5),
    ],
)
def test_thresholds_by_hand(probabilities, flags, threshold):
    best = best_threshold(np.array(probabilities), np.array(flags) == 1)
    assert best == pytest.approx(threshold)


def test_few_flags_are_believed_less_than_many():
    """Of calibrated probabilities half of the best F1 is its threshold; a few flags stray."""
    probabilities = RANDOM.random(5000)
    flags = RANDOM.random(5000) < probabilities
    exact = best_threshold(probabilities, flags)
    few = [slice(start, start + 30) for start in range(0, 3000, 30)]
    strayed = [best_threshold(probabilities[part], flags[part]) for part in few]
    believed = [best_threshold(probabilities[part], flags[part], 100.0) for part in few]
    assert np.std(believed) < 0.5 * np.std(strayed)
    assert np.mean(believed) == pytest.approx(exact, abs=0.05)
    assert best_threshold(probabilities, flags, 100.0) == pytest.approx(exact, abs=0.03)


def test_the_worst_examples_come_first():
    logits = np.array([[5.0, 5.0, 5.0], [0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    worst = TASK.account(logits, np.array([[1, 1, 1], [1, 0, 0], [-1, 0, 0]]), listed=2)["worst"]
    assert [each["index"] for each in worst] == [2, 1]
    assert worst[1]["true"] == ["round"] and worst[1]["loss"] == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("split", "flags", "problems"),
    [
        ("test", [[-1, -1, -1]], ["'tags' has no label in test"]),
        ("test", [[0, 1, 2]], ["'tags' has 2 in test, expected 0 or 1"]),
        (
            "train",
            [[0, 1, -1], [0, 1, -1]],
            [
                "'tags': label 'round' is never there in train",
                "'tags': label 'red' is always there in train",
                "'tags': label 'rare' has no flag in train",
            ],
        ),
    ],
)
def test_labels_that_cannot_be_learned_from_are_named(split, flags, problems):
    assert TASK.problems(split, np.array(flags)) == problems


def test_the_best_constant_flags_by_micro_f1_are_the_best_of_all():
    task = TASK.decided_by("micro_f1")
    answer, words = task.constant(FLAGS)

    def figure(flags):
        return task.answered(np.broadcast_to(np.array(flags, float), FLAGS.shape), FLAGS)

    others = list(itertools.product([0, 1], repeat=3))
    assert tuple(answer) == max(others, key=figure) != (1, 1, 1)
    assert words == "always the most frequent label"
    assert TASK.constant(FLAGS)[0].tolist() == [1, 1, 1]
