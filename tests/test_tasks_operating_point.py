"""Thresholds of two classes by hand, areas against scikit-learn's, intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from allotrope.tasks import Classification, task_of
from allotrope.tasks.operating_point import at_operating_point, best_operating_point

RANDOM = np.random.default_rng(8)


def drawn(count, apart=1.5):
    """Scores from 0 to 1 and which of them are positive, a fifth of all."""
    positive = RANDOM.random(count) < 0.2
    logits = RANDOM.normal(size=count) + apart * positive
    return 1 / (1 + np.exp(-logits)), positive


def test_the_threshold_by_hand():
    scores = np.array([0.1, 0.3, 0.35, 0.6, 0.9])
    assert best_operating_point(scores, scores > 0.5) == pytest.approx(0.475)
    assert best_operating_point(scores, np.ones(5, bool)) is None
    assert best_operating_point(scores, np.zeros(5, bool)) is None


def test_no_other_threshold_is_better():
    scores, positive = drawn(300)

    def youden(threshold):
        said = scores >= threshold
        return said[positive].mean() - said[~positive].mean()

    best = youden(best_operating_point(scores, positive))
    assert best >= max(map(youden, np.linspace(0, 1, 501)))


def test_equal_scores_are_not_parted():
    scores = np.array([0.5, 0.5, 0.5, 0.9])
    threshold = best_operating_point(scores, np.array([True, False, False, True]))
    assert threshold == pytest.approx(0.7)


def test_figures_are_those_of_the_counts():
    scores, positive = drawn(1000)
    point = at_operating_point(scores, positive, 0.6)
    assert point["sensitivity"]["value"] == pytest.approx((scores >= 0.6)[positive].mean())
    assert point["specificity"]["value"] == pytest.approx((scores < 0.6)[~positive].mean())
    assert point["auc"]["value"] == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
    rounded = np.round(scores, 1)
    area = at_operating_point(rounded, positive, 0.6)["auc"]["value"]
    assert area == pytest.approx(roc_auc_score(positive, rounded), abs=1e-12)


def test_intervals_hold_the_value_of_many_more_examples_about_as_often_as_they_say():
    scores, positive = drawn(200_000)
    truth = at_operating_point(scores[:50_000], positive[:50_000], 0.6)
    covered = dict.fromkeys(("sensitivity", "specificity", "auc"), 0)
    for start in range(0, 8_000, 400):
        rows = slice(start, start + 400)
        point = at_operating_point(scores[rows], positive[rows], 0.6)
        for name in covered:
            value = truth[name]["value"]
            covered[name] += point[name]["low"] <= value <= point[name]["high"]
    assert all(15 <= count <= 20 for count in covered.values()), covered


def test_only_two_classes_have_a_threshold_and_it_is_kept():
    scores, positive = drawn(400)
    logits = np.stack([np.zeros(400), np.log(scores / (1 - scores))], 1)
    task = Classification(name="sick", classes=("no", "yes")).settled(logits, positive.astype(int))
    assert task.operating_point is not None and task_of(task.facts()) == task
    account = task.account(logits, positive.astype(int))
    assert account["operating_point"]["positive"] == "yes"
    assert task.remarks(account)[-1].startswith("yes from ")
    three = Classification(name="y", classes=("a", "b", "c"))
    assert three.settled(RANDOM.normal(size=(99, 3)), np.arange(99) % 3).operating_point is None
