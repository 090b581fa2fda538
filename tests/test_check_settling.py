"""How far trainings are compared if rounding alone parts them.

A wrong answer is caught before, and nothing is blamed after.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agreeing import STEPS, answers, copied, expectations, network
from allotrope.frameworks import missing
from allotrope.measure.agreement.check_result import row_of
from allotrope.measure.agreement.comparer import compare_gradients
from allotrope.measure.agreement.computation import nudged
from allotrope.measure.agreement.judge import judge
from allotrope.measure.agreement.settling import (
    MARGIN,
    NUDGE,
    gradient_noise,
    has_departed,
    settled_steps,
)

pytestmark = pytest.mark.skipif(
    missing("pytorch") is not None, reason="the true answers are PyTorch's"
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return expectations(network(), tmp_path_factory.mktemp("expected"))


@pytest.fixture(scope="module")
def true(expected, tmp_path_factory):
    return answers(
        "pytorch", expected["float64"].computation, tmp_path_factory.mktemp("true") / "answers"
    )


def parted(true, step, losses=0.0, weights=0.0):
    """The answers, as another's, with losses and weights moved from a step on."""
    other = copied(true, framework="other")
    other.losses = [
        loss * (1 + losses * (number >= step)) for number, loss in enumerate(other.losses, 1)
    ]
    other.weights = {
        number: {name: array * (1 + weights * (number >= step)) for name, array in arrays.items()}
        for number, arrays in other.weights.items()
    }
    return other


def test_every_trainable_weight_is_nudged_and_nothing_else():
    before = network()
    after = nudged(before, 1e-3, seed=0)
    for name, array in before.weights.items():
        moved = np.abs(after.weights[name] - array)
        assert np.allclose(
            moved, 1e-3 * np.abs(array) if name in before.trainable else 0, rtol=1e-3
        )
    assert (
        nudged(before, 1e-3, seed=1).weights["conv.weight"].tolist()
        != after.weights["conv.weight"].tolist()
    )


def test_an_echo_that_stays_settles_all_steps(true, expected):
    assert settled_steps(copied(true), true, expected["float64"]) == STEPS


def test_rounding_errors_of_an_ordinary_network_stay_small(true, expected, tmp_path):
    echo = answers(
        "pytorch", replace(expected["float64"].computation, nudge=NUDGE), tmp_path / "echo"
    )
    assert list(echo.losses) != list(true.losses)
    assert settled_steps(echo, true, expected["float64"]) == STEPS


@pytest.mark.parametrize("moved", ["losses", "weights"])
def test_steps_are_settled_until_the_echo_goes_elsewhere(true, expected, moved):
    tolerance = getattr(expected["float64"].tolerance, moved)
    assert (
        settled_steps(parted(true, 3, **{moved: 2 * tolerance / MARGIN}), true, expected["float64"])
        == 2
    )
    assert (
        settled_steps(parted(true, 3, **{moved: tolerance / MARGIN / 2}), true, expected["float64"])
        == STEPS
    )


def test_only_settled_steps_are_compared_and_the_rest_is_counted(true, expected):
    late = parted(true, 3, losses=0.1, weights=0.1)
    rows = judge([true, late], expected)
    assert has_departed(rows, "float64")
    assert {part for part, comparison in rows[1].parts.items() if not comparison.agrees} == {
        "losses",
        "weights",
        "state",
    }
    _, row = judge([true, late], expected, {"float64": 2})
    assert row.agrees
    assert row_of(row)["parts"]["losses"]["left_out"] == STEPS - 2


def test_a_wrong_answer_within_the_settled_steps_is_caught(true, expected):
    _, row = judge([true, parted(true, 2, losses=1e-6)], expected, {"float64": 2})
    assert row.parts["losses"].departures[0].culprit == "step 2: loss"
    _, row = judge([true, parted(true, 2, weights=1e-5)], expected, {"float64": 2})
    assert row.parts["weights"].departures[0].culprit.startswith("step 2: ")


def test_too_few_steps_are_a_departure_however_many_are_settled(true, expected):
    short = copied(true, framework="other")
    short.losses = short.losses[:-1]
    _, row = judge([true, short], expected, {"float64": 2})
    assert not row.parts["losses"].agrees


def test_a_kink_that_rounding_crosses_is_no_departure_and_a_wrong_gradient_is_one(true, expected):
    """An echo whose gradient of one weight jumps: that weight alone may be off by as much."""
    echo = {name: array.copy() for name, array in true.gradients.items()}
    echo["conv.weight"][0] *= 1.5
    noise = gradient_noise([true.gradients, echo], true.gradients)
    assert noise["conv.weight"] > 1e-3
    assert not any(value for name, value in noise.items() if name != "conv.weight")
    assert compare_gradients(echo, true.gradients, 1e-4, noise).agrees
    assert not compare_gradients(echo, true.gradients, 1e-4).agrees
    wrong = {**true.gradients, "fc.weight": -true.gradients["fc.weight"]}
    assert (
        compare_gradients(wrong, true.gradients, 1e-4, noise).departures[0].culprit
        == "gradient of 'fc.weight'"
    )
