"""One thread is tried if steps vary strongly, as they do if threads wait for each other.

Only then, and it is said.
"""

from dataclasses import replace

import pytest

from allotrope.config import Recipe, Settings
from allotrope.data import Batches
from allotrope.frameworks import framework
from allotrope.network import zoo
from allotrope.training.plan import plan_for
from allotrope.training.settings_race import race_settings
from planned import of_digits
from test_race import DEFAULT, FALLING, HALF, RECIPE, Clock

STEADY, WAITING = (0.01,), (0.004, 0.04, 0.015, 0.06, 0.03)
"""Seconds of steps: all alike, and with threads that wait for each other."""


class VaryingTrainer:
    """Takes these times in turn."""

    def __init__(self, clock, seconds, losses):
        self.clock, self.seconds, self.losses, self.taken = clock, seconds, losses, 0

    def step(self, batch, learning_rate, step):
        self.clock.now += self.seconds[self.taken % len(self.seconds)]
        self.taken += 1
        return self.losses[min(step, len(self.losses)) - 1]


class ThreadedFramework:
    """Two threads, whose steps take `several` seconds; one takes `one`."""

    threads = 2

    def __init__(self, clock, several, one):
        self.clock, self.several, self.one, self.asked = clock, several, one, []

    def settings(self):
        return [DEFAULT, HALF]

    def trainer(self, network, plan, settings, collective=None):
        self.asked.append(settings.threads)
        seconds = self.one if settings.threads == 1 else self.several
        part = 0.5 if settings.precision == "bfloat16" else 1.0
        return VaryingTrainer(self.clock, [part * each for each in seconds], FALLING)


@pytest.fixture(scope="module")
def network():
    return of_digits(zoo.cnn(10, (1, 8, 8), channels=(8,), hidden=(16,)))


def raced(network, digits, several, one, options=None):
    clock, lines = Clock(), []
    framework = ThreadedFramework(clock, several, one)
    recipe = replace(RECIPE, budget=200.0)
    race = race_settings(
        network, digits, recipe, framework, options=options, report=lines.append, clock=clock
    )
    return race, framework, lines


def test_one_thread_wins_if_several_wait_for_each_other(network, digits):
    race, _, lines = raced(network, digits, WAITING, STEADY)
    assert race.chosen == replace(HALF, threads=1)
    said = (
        "so threads were raced: one is 3.00 times as fast as 2, and 1 is used (another number: "
        "--threads)."
    )
    assert said in race.reason and any(said in line for line in lines)
    assert "took 4 to 60 ms" in race.reason and "times as fast as the defaults" in race.reason


def test_several_threads_stay_if_they_are_faster_all_the_same(network, digits):
    race, framework, _ = raced(network, digits, WAITING, (0.1,))
    assert race.chosen == replace(HALF, threads=2) and "2 are used" in race.reason
    assert 1 in framework.asked


def test_steps_that_do_not_vary_are_no_reason_to_race_threads(network, digits):
    race, framework, _ = raced(network, digits, STEADY, (0.001,))
    assert race.chosen == HALF and "threads" not in race.reason
    assert set(framework.asked) == {None}


def test_a_fixed_number_of_threads_is_kept(network, digits):
    options = [replace(DEFAULT, threads=2), replace(HALF, threads=2)]
    race, framework, _ = raced(network, digits, WAITING, STEADY, options)
    assert race.chosen == options[1] and set(framework.asked) == {2}


def test_threads_are_raced_for_a_single_setting_too(network, digits):
    race, _, _ = raced(network, digits, WAITING, STEADY, [DEFAULT])
    assert race.chosen == replace(DEFAULT, threads=1) and race.rows == []


def test_pytorch_trains_with_the_threads_of_each_trainer(network, digits):
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    try:
        pytorch = framework("pytorch")
        assert pytorch.threads == before
        recipe = Recipe(epochs=1, batch_size=16)
        plan = plan_for(network, recipe, digits.tasks, digits.train.columns)
        batch = Batches(digits, recipe).batch(0, 0)
        one, two = (pytorch.trainer(network, plan, Settings(threads=count)) for count in (1, 2))
        for trainer, count in ((one, 1), (two, 2), (one, 1)):
            trainer.step(batch, 0.0, 1)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)
