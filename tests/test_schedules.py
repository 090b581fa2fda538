"""Learning rates over progress, against values computed by hand."""

import math

import pytest

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.recipe_choices import SCHEDULES
from allotrope.training.schedules import learning_rate, plateaus

torch = pytest.importorskip("torch")


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


def falling(schedule, count=61, **options):
    """The schedule without warm-up at `count` steps, its highest value 2."""
    return rates([at / (count - 1) for at in range(count)], schedule=schedule, warmup=0, **options)


def by_pytorch(make, count=61):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule, heights = make(torch.optim.lr_scheduler, optimizer), []
    for _ in range(count):
        heights.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return heights


PYTORCH = {
    "exponential": lambda s, o: s.ExponentialLR(o, 0.1 ** (1 / 60)),
    "polynomial": lambda s, o: s.PolynomialLR(o, 60, 3.0),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 60, eta_min=0.2),
}
OPTIONS = {
    "exponential": {"final_fraction": 0.1},
    "polynomial": {"schedule_power": 3.0},
    "cosine": {"final_fraction": 0.1},
}


@pytest.mark.parametrize("schedule", PYTORCH)
def test_schedules_are_those_of_pytorch(schedule):
    actual = falling(schedule, **OPTIONS[schedule])
    assert actual == pytest.approx(by_pytorch(PYTORCH[schedule]), rel=1e-10)


def test_restarts_are_those_of_pytorch():
    """But for the last step, at which PyTorch begins a cosine more."""
    make = lambda s, o: s.CosineAnnealingWarmRestarts(o, 9, T_mult=2, eta_min=0.2)  # noqa: E731
    actual = falling("cosine-restarts", 64, cycles=3, final_fraction=0.1)
    assert actual[:-1] == pytest.approx(by_pytorch(make, 64)[:-1], rel=1e-10)
    assert actual[-1] == pytest.approx(0.2)


def test_coslog_has_four_cycles_each_twice_as_long():
    ends = [(2**cycle - 1) / 15 for cycle in range(5)]
    assert rates(ends, schedule="coslog4", warmup=0.0) == pytest.approx([0.0] * 5, abs=1e-9)
    tops = [(2 ** (cycle + 0.5) - 1) / 15 for cycle in range(4)]
    assert rates(tops, schedule="coslog4", warmup=0.0) == pytest.approx([2.0] * 4)


def test_flat_cosine_falls_in_the_last_quarter():
    actual = rates([0.0, 0.75, 0.875, 1.0], schedule="flat-cosine", warmup=0.0)
    assert actual == pytest.approx([2.0, 2.0, 1.0, 0.0])


def test_plateaus_are_counted_as_by_pytorch():
    metrics = [3, 4, 4, 3, 2, 5, 5, 5, 5, 5, 6, 1, 1, 1, 1, 1, 1, 1, 1]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=0.1, patience=2, threshold=0
    )
    recipe = Recipe(learning_rate=2.0, schedule="plateau", warmup=0.0)
    for last in range(1, len(metrics) + 1):
        theirs.step(metrics[last - 1])
        count = plateaus(((float(metric),) for metric in metrics[:last]), 2)
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(recipe, 0.5, count) == pytest.approx(expected)
    assert count == 4
