"""Progress by steps and by the clock, with a clock that the test turns."""

import math

import pytest

from allotrope.training.pace import Pace


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def paced(steps=None, budget=None, **options):
    clock = Clock()
    return Pace(steps, budget, clock=clock, **options), clock


def test_with_epochs_progress_is_of_steps_alone():
    pace, clock = paced(steps=4)
    clock.now += 1e6
    assert [pace.advance(done) for done in range(4)] == [0.125, 0.375, 0.625, 0.875]
    assert pace.stopped(3, 1.0) is None and pace.stopped(4, 1.0) == "finished"
    assert pace.affords_evaluation() and pace.ends == math.inf


def test_with_a_budget_progress_is_of_the_clock_from_the_first_step_to_the_last_validation():
    pace, clock = paced(budget=60.0)
    pace.evaluation = 10.0
    clock.now += 9.0
    assert pace.advance(0) == 0.0  # compiling: the schedule has not begun
    pace.first_step_done()
    clock.now += 20.0
    assert pace.advance(1) == pytest.approx(0.5)  # from 9 s to 60 - 11 s
    assert pace.stopped(1, 0.1) is None
    clock.now += 20.0
    assert pace.stopped(2, 0.1) == "budget"


@pytest.mark.parametrize(
    ("before", "compiling", "expected"),
    [(0.0, 9.0, 60.0), (0.0, 30.0, 60.0), (0.0, 50.0, 80.0), (40.0, 5.0, 60.0), (40.0, 15.0, 65.0)],
)
def test_compiling_leaves_half_of_the_budget_to_the_steps(before, compiling, expected):
    """Of what there was left, if a training is resumed."""
    pace, clock = paced(budget=60.0, elapsed=before)
    assert pace.ends == 60.0
    clock.now += compiling
    pace.first_step_done()
    assert pace.ends == pytest.approx(expected)
    assert pace.stopped(1, 0.0) is None


def test_the_nearer_end_decides():
    pace, clock = paced(steps=100, budget=50.0)
    pace.first_step_done()
    clock.now += 10.0
    assert pace.advance(40) == pytest.approx(0.405)
    clock.now += 30.0
    assert pace.advance(41) == pytest.approx(0.8)
    pace.evaluated(40.0)
    assert pace.advance(42) == 1.0


def test_progress_never_falls():
    pace, clock = paced(budget=10.0)
    pace.first_step_done()
    pace.evaluation = 5.0
    clock.now += 4.0
    before = pace.advance(1)
    pace.evaluation = 0.1
    assert pace.advance(2) == before


def test_a_resumed_training_spreads_what_remains_over_the_time_that_remains():
    pace, clock = paced(budget=100.0, elapsed=40.0, progress=0.6)
    assert pace.elapsed == 40.0
    clock.now += 30.0
    assert pace.advance(50) == pytest.approx(0.8)


def test_validation_before_the_last_keeps_to_its_share_of_the_budget():
    pace, clock = paced(budget=1000.0)
    pace.evaluation = 3.0
    clock.now += 99.0
    assert not pace.affords_evaluation()
    clock.now += 1.0
    assert pace.affords_evaluation()
    pace.evaluated(3.0)
    assert not pace.affords_evaluation()


def test_seconds_left():
    assert paced()[0].seconds_left(0, 1.0) is None
    assert paced(steps=10)[0].seconds_left(4, 0.5) == 3.0
    assert paced(steps=10, budget=2.0)[0].seconds_left(4, 0.5) == 2.0
