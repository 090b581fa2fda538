"""Learning rates over progress, against values computed by hand."""

import math

import pytest

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.recipe_choices import SCHEDULES
from allotrope.training.schedules import learning_rate


def rates(progresses, **options):
    recipe = Recipe(learning_rate=2.0, **options)
    return [learning_rate(recipe, progress) for progress in progresses]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up_rises_linearly_from_zero(schedule):
    assert rates([0.0, 0.05, 0.1], schedule=schedule, warmup=0.2) == pytest.approx([0.0, 0.5, 1.0])


def test_warm_up_may_begin_above_zero():
    assert rates(
        [0.0, 0.1, 0.2], schedule="one-cycle", warmup=0.2, start_fraction=0.5
    ) == pytest.approx([1.0, 1.5, 2.0])


def test_constant_stays():
    assert rates([0.0, 0.5, 1.0], schedule="constant", warmup=0.0) == [2.0, 2.0, 2.0]


def test_step_falls_at_its_fractions():
    heights = rates(
        [0.3, 0.49, 0.5, 0.74, 0.75, 1.0],
        schedule="step",
        warmup=0.2,
        step_at=(0.5, 0.75),
        step_factor=0.1,
    )
    assert heights == pytest.approx([2.0, 2.0, 0.2, 0.2, 0.02, 0.02])


def test_cosine_falls_to_the_final_fraction():
    heights = rates([0.2, 0.6, 1.0], schedule="cosine", warmup=0.2, final_fraction=0.1)
    assert heights == pytest.approx([2.0, 2.0 * (0.1 + 0.9 * 0.5), 0.2])
    assert rates([0.25], schedule="cosine", warmup=0.0) == pytest.approx(
        [1 + math.cos(math.pi / 4)]
    )


def test_one_cycle_is_a_triangle():
    assert rates(
        [0.2, 0.6, 1.0], schedule="one-cycle", warmup=0.2, final_fraction=0.5
    ) == pytest.approx([2.0, 1.5, 1.0])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_progress_beyond_the_ends_is_held(schedule):
    assert rates([-1.0, 7.0], schedule=schedule) == rates([0.0, 1.0], schedule=schedule)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_training_that_is_all_warm_up_is_allowed(schedule):
    assert all(
        math.isfinite(rate) for rate in rates([0.0, 0.5, 1.0], schedule=schedule, warmup=1.0)
    )


def test_unknown_schedule_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"unknown schedule 'cosin'\. Did you mean 'cosine'"):
        rates([0.5], schedule="cosin")
