"""How members' answers become one: Caruana's selection, the choice of a way, the paired gain."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.tasks import Classification, Regression
from allotrope.training.combining import AVERAGE, GREEDY, STACKING, VOTE, combined
from allotrope.training.greedy_selection import greedy_shares, mean_of
from allotrope.training.paired_gain import paired_gain
from allotrope.training.stacking import stacked_shares

RANDOM = np.random.default_rng(0)
LABELS = np.arange(200) % 2
CLASSES = Classification(name="label", classes=("a", "b"))
NUMBER = Regression(name="y")


def sure(labels: np.ndarray, confidence: float) -> np.ndarray:
    """Probabilities of those who answer these labels."""
    own = np.eye(2)[labels]
    return own * confidence + (1 - own) * (1 - confidence)


def wrong_on(rows: slice) -> np.ndarray:
    labels = LABELS.copy()
    labels[rows] = 1 - labels[rows]
    return labels


def test_the_one_who_is_right_is_chosen_and_the_others_are_not():
    right, guessing, wrong = sure(LABELS, 0.9), np.full((200, 2), 0.5), sure(1 - LABELS, 0.9)
    assert greedy_shares(CLASSES, [guessing, right, wrong], LABELS) == (0, 1, 0)


def test_three_who_err_on_other_examples_are_right_together():
    members = [sure(wrong_on(slice(start, start + 60)), 0.9) for start in (0, 60, 120)]
    alone = [CLASSES.answered(each, LABELS) for each in members]
    assert alone == [0.7, 0.7, 0.7]
    shares = greedy_shares(CLASSES, members, LABELS)
    assert all(share > 0 for share in shares) and sum(shares) == pytest.approx(1)
    assert CLASSES.answered(mean_of(members, shares), LABELS) == 1.0


def test_who_helps_most_is_added_again():
    """0.75 of one and 0.25 of the other is the truth, and a selection without replacement errs."""
    truth = RANDOM.normal(size=300)
    members = [(truth + 1)[:, None], (truth - 3)[:, None]]
    shares = greedy_shares(NUMBER, members, truth)
    assert shares == pytest.approx((0.75, 0.25))
    assert NUMBER.answered(mean_of(members, shares), truth) < 1e-9


def test_a_way_that_is_better_by_chance_alone_is_not_taken():
    truth = RANDOM.normal(size=400)
    alike = [{"y": (truth + RANDOM.normal(size=400))[:, None]} for _ in range(4)]
    combination = combined([NUMBER], alike, {"y": truth})
    assert combination.way == AVERAGE
    assert combination.shares["y"] == (0.25, 0.25, 0.25, 0.25)


def test_greedy_selection_leaves_out_who_is_much_worse():
    truth = RANDOM.normal(size=400)
    members = [{"y": (truth + RANDOM.normal(size=400) * noise)[:, None]} for noise in (1, 1, 30)]
    combination = combined([NUMBER], members, {"y": truth})
    assert combination.way in (GREEDY, STACKING) and combination.used == [0, 1]
    assert [each["way"] for each in combination.tried if each["chosen"]] == [combination.way]
    asked = combined([NUMBER], members, {"y": truth}, AVERAGE)
    assert asked.way == AVERAGE and asked.used == [0, 1, 2]


def test_nothing_is_chosen_by_a_handful_of_examples():
    few = {"label": LABELS[:20]}
    members = [{"label": sure(1 - LABELS[:20], 0.9)}, {"label": sure(LABELS[:20], 0.9)}]
    combination = combined([CLASSES], members, few)
    assert (combination.way, combination.tried) == (AVERAGE, ())


def test_the_gain_is_paired_and_its_interval_knows_chance():
    better, worse = sure(wrong_on(slice(0, 20)), 0.9), sure(wrong_on(slice(0, 60)), 0.9)
    gain = paired_gain(CLASSES, better, [worse], LABELS)
    assert gain.points == pytest.approx(20)
    assert gain.is_sure and 13 < gain.low < 20 < gain.high < 27
    nothing = paired_gain(CLASSES, better, [better], LABELS)
    assert (nothing.points, nothing.low, nothing.high) == (0, 0, 0) and not nothing.is_sure
    over_mean = paired_gain(CLASSES, better, [worse, better], LABELS)
    assert over_mean.points == pytest.approx(10)


def test_of_an_error_less_is_a_gain():
    truth = RANDOM.normal(size=500)
    near, far = ((truth + RANDOM.normal(size=500) * noise)[:, None] for noise in (0.5, 1.0))
    gain = paired_gain(NUMBER, near, [far], truth)
    assert gain.is_sure and 40 < gain.points < 60
    assert paired_gain(NUMBER, far, [near], truth).high < 0


def test_stacking_finds_the_weights_of_the_least_loss():
    truth = RANDOM.normal(size=400)
    members = [(truth + 1)[:, None], (truth - 3)[:, None], (truth + 50)[:, None]]
    shares = stacked_shares(NUMBER, members, truth)
    error = np.abs(mean_of(members, shares)[:, 0] - truth).max()
    assert error < 0.05 and sum(shares) == pytest.approx(1) and min(shares) >= 0


def test_in_a_vote_each_has_one_voice():
    loud = {"label": np.tile([0.0, 1.0], (60, 1))}
    quiet = {"label": np.tile([0.6, 0.4], (60, 1))}
    votes = combined([CLASSES], [loud, quiet, quiet], {"label": LABELS[:60]}, VOTE)
    answers = votes.answers([loud, quiet, quiet])["label"]
    assert answers[0] == pytest.approx([2 / 3, 1 / 3])
    mean = combined([CLASSES], [loud, quiet, quiet], {"label": LABELS[:60]}, AVERAGE)
    assert mean.answers([loud, quiet, quiet])["label"][0].argmax() == 1


def test_of_quantities_there_is_no_vote():
    truth = RANDOM.normal(size=100)
    members = [{"y": truth[:, None]}, {"y": -truth[:, None]}]
    assert VOTE not in [each["way"] for each in combined([NUMBER], members, {"y": truth}).tried]
