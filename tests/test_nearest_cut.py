"""Cuts by predictions that are off, and what the clock makes of them."""

from __future__ import annotations

import pytest

from allotrope.errors import UsageError
from allotrope.shrinking.choose_widths import LayerWidth, Prediction
from allotrope.verbs.pipeline.nearest_cut import FAR, NEAR, nearest_cut
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_values import Timed

FORM = ("onnxruntime", "int8", "")


def searched(goal, measured_of, least=0.0):
    """The nearest cut where a network is its predicted cost, and the costs that were tried."""
    tried = []

    def cut_to(aim):
        cost = aim.latency if aim.latency is not None else aim.size
        if cost < least:
            raise UsageError("no cut is so small")
        # Widths are whole numbers: not every aim has a cut of its own.
        width = int(cost)
        return width, Prediction(None, None, 1 / (1 + width), (LayerWidth("w", 1000, width),))

    def timed_of(width):
        tried.append(width)
        latency, size = measured_of(width)
        return Timed(FORM, {"latency_ms": latency, "size_bytes": size})

    return nearest_cut(cut_to, timed_of, goal), tried


@pytest.mark.parametrize("off", [0.4, 0.7, 0.9, 1.0, 1.3, 2.5])
def test_a_prediction_that_is_off_to_either_side_is_corrected(off):
    cut, _ = searched(Goal(200.0, None, 1.0), lambda width: (off * width, 0))
    assert FAR <= cut.excess <= NEAR
    assert cut.network == pytest.approx(200 / off, rel=0.04)


@pytest.mark.parametrize("off", [0.5, 1.6])
def test_bytes_are_corrected_alike(off):
    cut, _ = searched(Goal(None, 60_000.0, 1.0), lambda width: (1.0, off * width))
    assert FAR <= cut.excess <= NEAR


def test_of_two_limits_the_one_that_is_met_by_far_is_not_loosened_beside_one_that_is_not():
    goal = Goal(100.0, 1000.0, 1.0)
    cut, tried = searched(goal, lambda width: (2 * width, 1 * width))
    assert cut.network == 50 and tried == [100, 50]


def test_what_was_fast_enough_stays_if_a_looser_aim_is_too_slow():
    # A step of the kernels: nothing lies between half of the goal and three times of it.
    cut, tried = searched(Goal(100.0, None, 1.0), lambda width: (50 if width < 150 else 300, 0))
    assert cut.excess == 0.5
    assert cut.network == max(width for width in tried if width < 150) >= 100
    assert max(tried) >= 150


def test_the_same_widths_are_not_timed_again():
    _, tried = searched(Goal(1.1, None, 1.0), lambda width: (1.0, 0))
    assert tried == [1]


def test_two_steps_around_the_goal_are_timed_once_each():
    cut, tried = searched(Goal(None, 3.5, 1.0), lambda width: (1.0, 3.0 if width < 4 else 4.0))
    assert tried == [3, 4] and cut.network == 3


def test_the_nearest_of_those_that_all_miss_is_taken():
    cut, tried = searched(Goal(100.0, None, 1.0), lambda width: (100 + width, 0), least=40)
    assert cut.network == min(tried) and cut.excess > NEAR
