"""The race of settings, on PyTorch for real, and with planted settings.

These lie, fail or are slow.
"""

from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.network import zoo
from allotrope.training.race_entrant import agreement
from allotrope.training.race_limits import CompileCost
from allotrope.training.race_words import described
from allotrope.training.settings_race import race_settings
from allotrope.training.speed import quick_to_start, training_speed
from planned import of_digits
from tested import TESTED

RECIPE = Recipe(learning_rate=0.2, batch_size=64, augmentation="none", budget=20.0)
DEFAULT = Settings()
HALF = replace(DEFAULT, precision="bfloat16")
LAST = replace(DEFAULT, layout="channels-last")
COMPILED = replace(HALF, compiled=True)


@pytest.fixture(scope="module")
def network():
    return of_digits(zoo.cnn(10, (1, 8, 8), channels=(8,), hidden=(16,)))


class Clock:
    """Time that only planted trainers spend, so that no other process disturbs these tests."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class PlantedTrainer:
    """Takes a set time for each step and gives a set course of losses."""

    def __init__(self, clock, seconds, losses, first=0.0):
        self.clock, self.seconds, self.losses, self.first = clock, seconds, losses, first

    def step(self, batch, learning_rate, step):
        self.clock.now += self.first + self.seconds if step == 1 else self.seconds
        return self.losses[min(step, len(self.losses)) - 1]


class PlantedFramework:
    """Gives to each setting the trainer, or the error, that was planted."""

    def __init__(self, planted, clock, threads=None):
        self.planted, self.clock, self.threads = planted, clock, threads

    def settings(self):
        return list(self.planted)

    def trainer(self, network, plan, settings, collective=None):
        behaviour = self.planted[settings]
        if isinstance(behaviour, Exception):
            raise behaviour
        return PlantedTrainer(self.clock, **behaviour)


FALLING = [2.3, 2.0, 1.7, 1.5]


@pytest.fixture
def planted(digits, network):
    def run(settings, recipe=RECIPE, **options):
        clock = Clock()
        framework = PlantedFramework(settings, clock)
        return race_settings(network, digits, recipe, framework, clock=clock, **options)

    return run


def row_of(outcome, settings):
    return next(
        row
        for row in outcome.rows
        if all(row[name] == getattr(settings, name) for name in ("precision", "layout", "compiled"))
    )


def test_the_fastest_that_agrees_wins(planted):
    outcome = planted(
        {
            DEFAULT: {"seconds": 0.01, "losses": FALLING},
            HALF: {"seconds": 0.005, "losses": [2.31, 2.02, 1.72, 1.51]},
            # Fast, because it learns nothing.
            LAST: {"seconds": 0.002, "losses": [2.3, 2.3, 2.3, 2.3]},
        }
    )
    assert outcome.chosen == HALF
    assert row_of(outcome, HALF)["agrees"] and row_of(outcome, HALF)["chosen"]
    assert not row_of(outcome, LAST)["agrees"]
    assert "does not agree" in row_of(outcome, LAST)["reason"]
    assert "times as fast" in outcome.reason
    assert row_of(outcome, HALF)["milliseconds"]["median"] == pytest.approx(5)
    assert (
        outcome.examples_per_second
        == row_of(outcome, HALF)["examples_per_second"]
        > row_of(outcome, DEFAULT)["examples_per_second"]
    )


@pytest.mark.parametrize(
    ("epochs", "budget", "expected"),
    [(300, 200.0, DEFAULT), (None, 200.0, HALF), (300, None, HALF), (300, 20.0, HALF)],
)
def test_nothing_is_rounded_if_all_epochs_fit_in_the_budget(planted, epochs, budget, expected):
    settings = {
        DEFAULT: {"seconds": 0.01, "losses": FALLING},
        HALF: {"seconds": 0.005, "losses": FALLING},
    }
    outcome = planted(settings, replace(RECIPE, epochs=epochs, budget=budget))
    assert outcome.chosen == expected
    rounded = row_of(outcome, HALF)
    assert ("all epochs fit in the budget" in rounded["reason"]) == (expected == DEFAULT)
    assert "2.00 times as fast" in outcome.reason


@pytest.mark.parametrize(
    "losses", [[2.3, np.nan, 1.7, 1.5], [5.0, 4.0, 3.0, 2.0], [2.3, 2.6, 2.9, 3.2]]
)
def test_wrong_losses_never_win(planted, losses):
    outcome = planted(
        {DEFAULT: {"seconds": 0.01, "losses": FALLING}, HALF: {"seconds": 0.001, "losses": losses}}
    )
    assert outcome.chosen == DEFAULT and not row_of(outcome, HALF)["agrees"]


def test_a_setting_that_fails_is_a_row_with_the_reason(planted):
    outcome = planted(
        {
            DEFAULT: {"seconds": 0.002, "losses": FALLING},
            HALF: RuntimeError("no bfloat16 here\nand a long trace"),
        }
    )
    assert outcome.chosen == DEFAULT
    assert row_of(outcome, HALF)["reason"] == "failed: RuntimeError: no bfloat16 here"
    assert row_of(outcome, HALF)["examples_per_second"] is None


def test_defaults_that_fail_are_an_error(planted):
    with pytest.raises(RuntimeError, match="broken"):
        planted({DEFAULT: RuntimeError("broken"), HALF: {"seconds": 0.002, "losses": FALLING}})


def test_what_is_clearly_slower_is_out_early(planted):
    outcome = planted(
        {DEFAULT: {"seconds": 0.002, "losses": FALLING}, HALF: {"seconds": 0.02, "losses": FALLING}}
    )
    slow = row_of(outcome, HALF)
    assert "times slower" in slow["reason"] and slow["rounds"] < row_of(outcome, DEFAULT)["rounds"]


def test_the_defaults_are_measured_however_long_what_comes_before_took(planted):
    """Compiling it for a number of threads, say."""
    settings = {
        COMPILED: {"seconds": 0.01, "losses": FALLING, "first": 50.0},
        replace(COMPILED, layout="channels-last"): {"seconds": 0.005, "losses": FALLING},
    }
    outcome = planted(settings, seconds=1.0)
    assert outcome.chosen == COMPILED
    assert "the time for the race was up" in outcome.rows[1]["reason"]


def test_another_device_is_out_if_few_examples_take_it_longer_than_all(planted):
    accelerated = replace(DEFAULT, device="cuda")
    settings = {
        accelerated: {"seconds": 0.01, "losses": FALLING},
        replace(HALF, device="cuda"): {"seconds": 0.009, "losses": FALLING},
        DEFAULT: {"seconds": 0.02, "losses": FALLING},
        HALF: {"seconds": 0.005, "losses": FALLING},
    }
    outcome = planted(settings)
    slow, quick = (row for row in outcome.rows if row["device"] == "cpu")
    assert "takes longer than others' whole steps" in slow["reason"]
    assert slow["rounds"] == 0 and quick["rounds"] > 1
    assert outcome.chosen == HALF


def test_about_as_fast_is_no_reason_to_leave_the_defaults(planted):
    outcome = planted(
        {
            DEFAULT: {"seconds": 0.02, "losses": FALLING},
            HALF: {"seconds": 0.0198, "losses": FALLING},
        }
    )
    assert outcome.chosen == DEFAULT and row_of(outcome, DEFAULT)["reason"] == "chosen"
    assert row_of(outcome, HALF)["reason"].startswith("faster by too little")


def test_the_race_keeps_to_its_share_of_the_budget(planted):
    settings = {choice: {"seconds": 0.02, "losses": FALLING} for choice in (DEFAULT, LAST, HALF)}
    outcome = planted(settings, replace(RECIPE, budget=20.0))
    assert 0.5 < outcome.seconds < 1.1


def test_a_budget_too_short_for_a_race_uses_the_defaults(planted):
    outcome = planted(
        {choice: {"seconds": 0.02, "losses": FALLING} for choice in (DEFAULT, HALF)},
        replace(RECIPE, budget=0.5),
    )
    assert outcome.chosen == DEFAULT and "too short" in outcome.reason
    assert all("not measured" in row["reason"] for row in outcome.rows)


CHEAP = CompileCost(seconds=0.1, seconds_per_node=0.0)
COMPILING = {
    DEFAULT: {"seconds": 0.06, "losses": FALLING},
    HALF: {"seconds": 0.03, "losses": FALLING},
    replace(DEFAULT, compiled=True): {"seconds": 0.001, "losses": FALLING},
    COMPILED: {"seconds": 0.01, "losses": FALLING, "first": 0.5},
}


def test_compiling_is_tried_for_the_fastest_when_it_can_pay(planted):
    outcome = planted(COMPILING, replace(RECIPE, budget=60.0), seconds=6.0, compiling=CHEAP)
    assert outcome.chosen == COMPILED
    assert row_of(outcome, COMPILED)["compile_seconds"] == pytest.approx(0.5)
    assert "only the fastest" in row_of(outcome, replace(DEFAULT, compiled=True))["reason"]


def test_compiling_that_costs_more_than_it_saves_is_not_used(planted):
    dear = {**COMPILING, COMPILED: {"seconds": 0.02, "losses": FALLING, "first": 2.5}}
    outcome = planted(dear, replace(RECIPE, budget=3.0), seconds=8.0, compiling=CHEAP)
    assert outcome.chosen == HALF
    assert "would save only" in row_of(outcome, COMPILED)["reason"]


def test_what_is_not_compiled_after_all_does_not_round_where_that_is_not_needed(planted):
    settings = {
        DEFAULT: {"seconds": 0.02, "losses": FALLING},
        HALF: {"seconds": 0.015, "losses": FALLING},
        replace(DEFAULT, compiled=True): {"seconds": 0.019, "losses": FALLING, "first": 12.0},
    }
    recipe = replace(RECIPE, epochs=300, budget=200.0)
    outcome = planted(settings, recipe, seconds=30.0, compiling=CHEAP)
    assert "would save only" in row_of(outcome, replace(DEFAULT, compiled=True))["reason"]
    assert outcome.chosen == DEFAULT and row_of(outcome, DEFAULT)["reason"] == "chosen"


def test_compiling_is_not_tried_when_it_cannot_pay(planted):
    outcome = planted(COMPILING, replace(RECIPE, budget=20.0), seconds=6.0)
    assert outcome.chosen == HALF
    assert "not tried: compiling takes about" in row_of(outcome, COMPILED)["reason"]


def test_one_setting_is_no_race(planted):
    outcome = planted({DEFAULT: RuntimeError("never made")})
    assert outcome.chosen == DEFAULT and outcome.rows == []


def test_agreement_compares_courses():
    course = [2.3, 2.0, 1.7]
    assert agreement(course, course) == (0.0, True)
    difference, agrees = agreement([2.3, 2.0, 1.7 * 1.01], course)
    assert difference == pytest.approx(0.01) and agrees
    assert not agreement([2.3, 2.3, 2.3], course)[1]
    assert not agreement([2.3, np.inf, 1.7], course)[1]


def test_settings_in_words():
    assert (
        described(replace(COMPILED, layout="channels-last"))
        == "bfloat16, channels-last, compiled on cpu"
    )
    assert described(DEFAULT) == "float32 on cpu"


def test_pytorch_for_real(digits, network):
    options = [DEFAULT, LAST, HALF, replace(HALF, layout="channels-last")]
    outcome = race_settings(
        network, digits, replace(RECIPE, budget=None, epochs=5), options=options, seconds=3.0
    )
    assert [row["agrees"] for row in outcome.rows] == [True] * 4
    assert sum(row["chosen"] for row in outcome.rows) == 1
    assert row_of(outcome, DEFAULT)["loss_difference"] == 0.0
    assert 0 < row_of(outcome, HALF)["loss_difference"] < 0.02
    assert all(
        row["milliseconds"]["p90"] >= row["milliseconds"]["median"] > 0 for row in outcome.rows
    )


def test_speed_is_told_by_what_costs_little_to_start():
    last_half = replace(LAST, precision="bfloat16")
    eager = [DEFAULT, LAST, HALF, last_half]
    compiled = [replace(settings, compiled=True) for settings in eager]
    elsewhere = [replace(settings, device="cuda") for settings in eager]
    assert quick_to_start([*eager, *compiled]) == [LAST, last_half]
    assert quick_to_start([DEFAULT, HALF]) == [DEFAULT, HALF]
    assert quick_to_start(compiled) == compiled[:1]
    assert quick_to_start([*elsewhere, *eager]) == [elsewhere[1], elsewhere[3]]


@pytest.mark.parametrize("name", TESTED)
def test_training_speed_is_that_of_real_steps_in_each_framework(name, digits, network):
    assert 100 < training_speed(network, digits, RECIPE, name) < 1e6
