"""Temperatures against the ones that logits were made with; errors of calibration by hand."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.network.zoo import mlp
from allotrope.tasks import Classification, task_of
from allotrope.tasks.calibration import COLDEST, HOTTEST, best_temperature, calibration
from allotrope.tasks.probabilities import log_softmax, softmax

RANDOM = np.random.default_rng(5)


def drawn(count, classes, scale):
    """Logits, and labels drawn from their probabilities."""
    logits = scale * RANDOM.normal(size=(count, classes))
    probabilities = softmax(logits)
    labels = (probabilities.cumsum(axis=1) < RANDOM.random((count, 1))).sum(axis=1)
    return logits, labels.clip(0, classes - 1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_logits_were_spoilt_by_comes_back(temperature):
    logits, labels = drawn(20_000, 4, 1.5)
    assert best_temperature(temperature * logits, labels) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_smaller_loss():
    logits, labels = drawn(400, 3, 2.0)
    logits *= 3

    def loss(temperature):
        return -log_softmax(logits / temperature)[np.arange(400), labels].mean()

    best = best_temperature(logits, labels)
    assert loss(best) <= min(map(loss, np.geomspace(0.1, 20, 100))) + 1e-4


def test_what_is_always_right_or_never_is_bounded():
    labels = RANDOM.integers(0, 3, 500)
    certain = np.eye(3)[labels]
    assert COLDEST < best_temperature(certain, labels) < 1
    assert best_temperature(-1e3 * certain, labels) == HOTTEST
    assert best_temperature(1e-3 * certain, labels) == COLDEST


def test_few_examples_change_nothing():
    logits, labels = drawn(40, 3, 5.0)
    assert best_temperature(logits, labels) == 1


def test_the_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [1.0, 0.0]])
    judged = calibration(probabilities, np.array([0, 1, 1, 0]))
    assert judged["expected_error"] == pytest.approx((2 * 0.4 + 0.4 + 0.0) / 4)
    assert [row["count"] for row in judged["bins"]] == [1, 2, 1]
    assert [row["accuracy"] for row in judged["bins"]] == [1, 0.5, 1]


def test_the_error_is_small_of_right_probabilities_and_large_of_wrong_ones():
    logits, labels = drawn(20_000, 5, 2.0)
    assert calibration(softmax(logits), labels)["expected_error"] < 0.02
    assert calibration(softmax(5 * logits), labels)["expected_error"] > 0.1


def test_the_temperature_is_in_the_delivered_graph_and_in_what_is_said():
    logits, labels = drawn(2_000, 3, 1.0)
    logits = (5 * logits).astype(np.float32)
    task = Classification(name="y", classes=("a", "b", "c")).settled(logits, labels)
    assert task.temperature == pytest.approx(5, rel=0.2)
    assert task_of(task.facts()) == task
    network = mlp(3, (3, 1, 1)).renamed({mlp(3, (3, 1, 1)).outputs[0].name: "y"})
    x = RANDOM.normal(size=(7, 3, 1, 1)).astype(np.float32)
    (name,) = [value.name for value in network.inputs]
    raw, ended = (each.run({name: x}, "reference")["y"] for each in (network, task.finish(network)))
    np.testing.assert_allclose(ended, softmax(raw / task.temperature), rtol=1e-6)
    account = task.account(logits, labels)
    assert account["calibration"]["expected_error"] < account["calibration"]["before"] / 3
    assert task.remarks(account)[0].startswith("probabilities of y are calibrated: ")
    assert Classification(name="y", classes=("a", "b", "c")).remarks(account) == []


def test_a_candidates_row_says_how_well_its_own_answers_are_calibrated():
    logits, labels = drawn(500, 3, 2.0)
    task = Classification(name="y", classes=("a", "b", "c"))
    answers = softmax(logits)
    figures = task.figures(answers, labels)
    assert figures["calibration"] == calibration(answers, labels)
    assert figures["loss"] == pytest.approx(-np.log(answers[np.arange(500), labels]).mean())
