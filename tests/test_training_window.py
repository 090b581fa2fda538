"""Which losses are waited for and when, with a clock that the test turns."""

from allotrope.training.window import STEPS_BETWEEN_LOOKS, Window


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_first_two_steps_are_looked_at_then_many_at_once():
    clock = Clock()
    window = Window(clock=clock)
    for step in range(2):
        window.add(float(step))
        assert window.is_due
        window.look()
        window.begin()
    for _ in range(STEPS_BETWEEN_LOOKS - 1):
        window.add(1.0)
        assert not window.is_due
    window.add(1.0)
    assert window.is_due and len(window) == STEPS_BETWEEN_LOOKS


def test_losses_do_not_wait_long():
    clock = Clock()
    window = Window(seconds_between=0.5, clock=clock)
    window.looks = 2
    window.add(1.0)
    assert not window.is_due
    clock.now = 0.6
    assert window.is_due


def test_the_first_step_tells_no_speed_and_later_ones_are_smoothed():
    clock = Clock()
    window = Window(clock=clock)

    def looked(steps, seconds):
        window.begin()
        for step in range(steps):
            window.add(float(step))
        clock.now += seconds
        return window.look()

    assert looked(1, 30.0) == ([0.0], 30.0)
    looked(2, 2.0)
    assert window.seconds_per_step == 1.0
    assert looked(2, 4.0) == ([0.0, 1.0], 4.0)
    assert abs(window.seconds_per_step - 1.1) < 1e-12 and len(window) == 0
