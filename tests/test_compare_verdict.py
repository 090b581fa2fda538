"""Which framework a race recommends, on planted rows: a function of the rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.measure.race import verdict as judging
from allotrope.measure.race.losses import agreements, parting
from allotrope.measure.race.race import parted_step
from allotrope.tasks.means import labelled
from allotrope.tasks.metric import ACCURACY, R2, RMSE


def verdict(rows, goal, validations=None, metric=ACCURACY):
    return judging.verdict(rows, goal, metric, validations, "image")


def metric_goal(rows, asked):
    return judging.metric_goal(rows, asked, ACCURACY)


def outcome(row, goal):
    return judging.outcome(row, goal, ACCURACY)


SETTINGS = {
    "device": "cpu",
    "precision": "bfloat16",
    "layout": "channels-last",
    "compiled": False,
    "threads": 2,
}
AGREES = {"agrees": True, "difference": 1e-6, "step": None}
DIFFERS = {"agrees": False, "difference": 0.12, "step": 3}


def row(
    name,
    speed=1000.0,
    *,
    seconds=None,
    accuracy=None,
    spread=0.01,
    memory=None,
    agreement=AGREES,
    **rest,
):
    """A framework that was measured to the end; `seconds` to the goal."""
    measured = {
        "framework": name,
        "settings": SETTINGS,
        "training": {"examples_per_second": speed, "spread": spread},
        "peak_memory": memory,
    }
    if seconds is not None:
        measured["seconds_to_metric"] = {"median": seconds, "lowest": seconds, "highest": seconds}
    if accuracy is not None:
        measured["validation_metric"] = {"mean": accuracy}
    return {**measured, "agreement": agreement, **rest}


def test_the_fastest_to_the_goal_wins_not_the_fastest_step():
    judged = verdict([row("pytorch", 2000, seconds=40.0), row("jax", 1000, seconds=20.0)], 0.95)
    assert judged.framework == "jax"
    assert judged.sentence == (
        "Use jax here (bfloat16, channels-last on cpu): "
        "it reaches 95.0% validation accuracy in 20.0 s, 2.0 times as fast as pytorch, the next; "
        "its losses agree with those of pytorch."
    )


def test_without_trainings_the_fastest_step_wins():
    judged = verdict([row("pytorch", 2000), row("jax", 1000), row("tensorflow", 1500)], None)
    assert judged.framework == "pytorch"
    assert "it trains 2,000 images/s, 1.3 times as fast as tensorflow, the next" in judged.sentence


def test_if_none_reaches_the_goal_the_fastest_step_wins():
    rows = [row("pytorch", 1000, accuracy=0.9), row("jax", 2000, accuracy=0.9)]
    assert verdict(rows, 0.99).framework == "jax"


def test_who_alone_reaches_the_goal_wins():
    judged = verdict([row("pytorch", 1000, seconds=50.0), row("jax", 2000)], 0.99)
    assert judged.framework == "pytorch"
    assert "and no other does" in judged.sentence


def test_of_equals_the_one_with_less_memory():
    rows = [
        row("pytorch", 1000, memory=2e9),
        row("jax", 1030, memory=4e9),
        row("tensorflow", 500, memory=1e9),
    ]
    judged = verdict(rows, None)
    assert judged.framework == "pytorch"
    assert (
        "as jax does within the spread of the measurements, "
        "and takes less memory (2 GB against 4 GB)"
    ) in judged.sentence


def test_a_wide_spread_makes_equals():
    rows = [row("pytorch", 1000, memory=1e9, spread=0.3), row("jax", 1200, memory=2e9, spread=0.3)]
    assert verdict(rows, None).framework == "pytorch"
    narrow = [{**row, "training": {**row["training"], "spread": 0.01}} for row in rows]
    assert verdict(narrow, None).framework == "jax"


def test_equals_without_memory_keep_their_order():
    assert verdict([row("pytorch"), row("jax")], None).framework == "pytorch"
    assert verdict([row("jax"), row("pytorch")], None).framework == "jax"


def test_who_disagrees_is_never_recommended():
    rows = [row("pytorch", 1000), row("tensorflow", 900), row("jax", 9000, agreement=DIFFERS)]
    judged = verdict(rows, None)
    assert judged.framework == "pytorch"
    assert (
        "Not jax: from equal weights and batches losses part at step 3 (by up to 12.0%)"
    ) in judged.sentence


def test_if_all_disagree_none_is_recommended():
    judged = verdict([row("pytorch", agreement=DIFFERS), row("jax", agreement=DIFFERS)], None)
    assert judged.framework is None
    assert judged.sentence.startswith(
        "No framework can be recommended: from equal weights and batches losses part at step 3"
    )


def test_who_lost_accuracy_is_not_recommended_however_fast():
    rows = [
        row("pytorch", 1000, accuracy=0.95, seconds=30.0),
        row("jax", 5000, accuracy=0.90, seconds=10.0),
    ]
    assert verdict(rows, 0.85).framework == "pytorch"
    assert verdict(rows, 0.85, 10_000).framework == "pytorch"
    assert verdict(rows, 0.85, 20).framework == "jax"  # one image in twenty is chance


def test_missing_and_failed_frameworks_are_passed_over():
    rows = [
        row("pytorch", 9000, reason="the process was killed by signal 9 during 'learn'"),
        {"framework": "jax", "reason": "not installed"},
    ]
    judged = verdict([*rows, row("tensorflow", 10, agreement={"agrees": None})], None)
    assert judged.framework == "tensorflow"
    assert "nothing else could be measured to the end" in judged.sentence


def test_one_framework_alone_has_nothing_to_agree_with():
    judged = verdict([row("pytorch", agreement={"agrees": None})], None)
    assert judged.sentence.endswith("; there was no other framework to compare its losses with.")


@pytest.mark.parametrize("rows", [[], [{"framework": "jax", "reason": "not installed"}]])
def test_nothing_measured(rows):
    judged = verdict(rows, None)
    assert judged.framework is None
    assert "none could be measured" in judged.sentence


@pytest.mark.parametrize(("worse", "chosen"), [(3.02, "jax"), (3.3, "pytorch")])
def test_a_greater_error_is_lost_however_fast(worse, chosen):
    rows = [row("pytorch", 1000, accuracy=3.0), row("jax", 9000, accuracy=worse)]
    assert verdict(rows, None, metric=RMSE).framework == chosen
    assert verdict(rows, None, 50, RMSE).framework == "jax"  # fifty errors vary by a seventh


def test_a_negative_metric_is_judged():
    rows = [row("pytorch", 1000, accuracy=-0.1), row("jax", 9000, accuracy=-0.5)]
    assert verdict(rows, None, 100, R2).framework == "pytorch"


def test_the_sentence_speaks_of_the_metric_and_of_examples():
    rows = [row("pytorch", 2000, seconds=40.0), row("jax", 1000, seconds=20.0)]
    sentence = verdict(rows, 3.4125, metric=RMSE).sentence
    assert "it reaches 3.413 validation RMSE in 20.0 s" in sentence
    alone = judging.verdict([row("jax", 7.0)], None, RMSE, noun="row")
    assert "it trains 7 rows/s" in alone.sentence


# --- the goal, and the time to it


def training(accuracies, seconds=10.0):
    history = [
        {"seconds": seconds * epoch, "validation_metric": accuracy}
        for epoch, accuracy in enumerate(accuracies, 1)
    ]
    return {
        "import_seconds": 3.0,
        "validation_metric": max(accuracies),
        "test_metric": 0.5,
        "history": history,
    }


def test_the_goal_is_what_was_asked_or_a_share_of_the_best():
    rows = [{"trainings": [training([0.5, 0.8]), training([0.6, 0.9])]}, {"framework": "jax"}]
    assert metric_goal(rows, None) == pytest.approx(0.95 * 0.9)
    assert metric_goal(rows, 0.5) == 0.5
    assert metric_goal([{"framework": "jax"}], None) is None


def test_the_goal_of_an_error_is_above_the_least_and_reached_from_above():
    rows = [{"trainings": [training([8.0, 4.0]), training([float("nan"), float("nan")])]}]
    rows[0]["trainings"][0]["validation_metric"] = 4.0
    assert judging.metric_goal(rows, None, RMSE) == pytest.approx(1.05 * 4.0)
    timed = judging.outcome({"trainings": [training([8.0, 4.0])]}, 5.0, RMSE)
    assert (timed["reached"], timed["seconds_to_metric"]["median"]) == (1, 23.0)
    diverged = judging.outcome({"trainings": [training([8.0, float("nan")])]}, 5.0, RMSE)
    assert diverged["reached"] == 0


def test_the_time_to_the_goal_begins_with_the_import():
    timed = outcome({"trainings": [training([0.5, 0.8, 0.9]), training([0.8, 0.7])]}, 0.75)
    assert timed["reached"] == 2
    assert timed["seconds_to_metric"] == {
        "mean": 18.0,
        "median": 18.0,
        "lowest": 13.0,
        "highest": 23.0,
    }
    assert timed["validation_metric"]["lowest"] == 0.8


def test_a_seed_that_misses_the_goal_leaves_no_time():
    timed = outcome({"trainings": [training([0.5, 0.8]), training([0.5, 0.6])]}, 0.75)
    assert (timed["reached"], timed["seconds_to_metric"]) == (1, None)
    assert outcome({"framework": "jax"}, 0.75) == {}


# --- agreement of losses

FALLING = [2.3, 2.1, 1.9, 1.7]


def shifted(by, start=0):
    return [loss * (1 + by * (step >= start)) for step, loss in enumerate(FALLING)]


def test_rounding_is_agreement():
    by_name = agreements({"a": FALLING, "b": shifted(1e-5), "c": shifted(-1e-5)})
    assert [one.agrees for one in by_name.values()] == [True, True, True]
    assert by_name["b"].difference == pytest.approx(2e-5, rel=0.01)


@pytest.mark.parametrize(
    ("planted", "step"),
    [
        (shifted(0.01), 1),
        (shifted(0.03, 2), 3),
        ([2.3, 2.3, 2.3, 2.3], 2),
        ([2.3, 2.5, 2.7, 2.9], 2),
        ([2.3, float("nan"), 1.9, 1.7], 2),
        (FALLING[:3], 4),
    ],
)
def test_the_one_that_parts_is_found_with_its_step(planted, step):
    by_name = agreements({"a": FALLING, "wrong": planted, "c": shifted(1e-5)})
    assert [by_name[name].agrees for name in ("a", "wrong", "c")] == [True, False, True]
    assert by_name["wrong"].step == step
    assert by_name["a"].step is None


def test_of_two_that_part_nobody_knows_which_is_right():
    by_name = agreements({"a": FALLING, "b": shifted(0.1)})
    assert [one.agrees for one in by_name.values()] == [False, False]
    assert by_name["a"].step == 1


def test_two_against_two_neither_is_right():
    by_name = agreements({"a": FALLING, "b": FALLING, "c": shifted(0.1), "d": shifted(0.1)})
    assert not any(one.agrees for one in by_name.values())


def test_one_alone_is_neither_right_nor_wrong():
    assert agreements({"a": FALLING})["a"].agrees is None
    assert agreements({}) == {}


def test_parting_is_mutual():
    assert parting(FALLING, shifted(0.01)) == parting(shifted(0.01), FALLING) == 1
    assert parting(FALLING, FALLING) is None


def test_examples_without_a_label_do_not_count_as_seen():
    assert labelled(np.array([0, -1, 1])) == 2
    assert labelled(np.array([[1.0, np.nan], [np.nan, np.nan]])) == 1
    assert labelled(np.array(["a", "b"])) == 2


# --- what a step takes


def test_a_step_is_parted_into_what_is_fixed_and_what_is_for_each_example():
    parted = parted_step((8, 1.0), (64, 4.0))
    assert parted is not None
    assert parted["fixed"] + 64 * parted["example"] == pytest.approx(4.0)
    assert parted["fixed"] + 8 * parted["example"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("small", "whole", "expected"),
    [
        ((8, 3.0), (64, 2.0), {"fixed": 3.0, "example": 0.0}),
        ((8, 0.1), (64, 5.0), {"fixed": 0.0, "example": 4.9 / 56}),
        ((1, 1.0), (1, 1.0), None),
    ],
)
def test_no_part_of_a_step_is_less_than_nothing(small, whole, expected):
    assert parted_step(small, whole) == expected
