"""Who takes finite differences: a framework is trusted only if it computes the reference's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agreeing import answers, copied, expectations, network, quiet
from allotrope.frameworks import framework as find
from allotrope.frameworks import missing
from allotrope.measure.agreement.judge import trusted_framework
from allotrope.measure.agreement.objectives import (
    PARTS,
    framework_objective,
    opened,
    places,
    reference_objective,
)
from allotrope.measure.agreement.slopes import slope_along
from allotrope.measure.agreement.sloping import Sloper

pytestmark = pytest.mark.skipif(missing("pytorch") is not None, reason="differences are PyTorch's")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return expectations(network(), tmp_path_factory.mktemp("expected"))


@pytest.fixture(scope="module")
def computation(expected):
    return expected["float64"].computation


@pytest.fixture(scope="module")
def without_masks(tmp_path_factory):
    """Its loss in training needs no trainer."""
    made = expectations(network(drops=False), tmp_path_factory.mktemp("without"))
    return made["float64"].computation


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("drops", [True, False])
def test_a_framework_computes_the_same_function(part, drops, computation, without_masks):
    computation = computation if drops else without_masks
    mine = framework_objective(computation, part, find("pytorch"))
    theirs = reference_objective(computation, part)
    arrays = places(computation, part)
    for factor in (1.0, 1.01):
        moved = {name: array * factor for name, array in arrays.items()}
        assert mine(moved) == pytest.approx(theirs(moved), rel=1e-11)


def test_weights_are_inputs_of_an_opened_network(computation):
    made = opened(computation.network)
    assert not made.trainable
    weights = {name: computation.network.weights[name] for name in computation.network.trainable}
    outputs = made.run({**computation.inputs(), **weights})
    right = computation.network.run(computation.inputs())
    assert all(np.array_equal(outputs[name], array) for name, array in right.items())


def test_a_framework_is_trusted_if_its_outputs_and_first_step_are_the_references(
    computation, expected, tmp_path
):
    true = answers("pytorch", computation, tmp_path / "true")
    assert trusted_framework([true], expected) == "pytorch"
    wrong = copied(true)
    wrong.outputs["tanh"] += 1e-8
    assert trusted_framework([wrong], expected) is None
    late = copied(true)
    late.losses[0] *= 1 + 1e-8
    assert trusted_framework([late], expected) is None
    assert trusted_framework([replace(true, failure="it died")], expected) is None


@pytest.mark.parametrize("part", PARTS)
def test_slopes_by_a_framework_are_those_by_the_reference(part, computation):
    slow = Sloper("pytorch", 1e6, 1, quiet)
    slopes, who = slow.slopes(computation, part, 3)
    right, reference = Sloper(None, 1e6, 1, quiet).slopes(computation, part, 3)
    assert (who, reference) == ("pytorch", "reference")
    for mine, theirs in zip(slopes, right, strict=True):
        assert mine.value == pytest.approx(theirs.value, rel=1e-6, abs=1e-9)


def test_a_framework_that_is_another_function_elsewhere_takes_no_slopes(computation):
    """The reference's value far from the weights is compared; here it is of other inputs."""
    lines, other = [], replace(computation, seed=computation.seed + 1)
    sloper = Sloper(
        "pytorch", 1e6, 1, lines.append, lambda _, part: reference_objective(other, part)
    )
    assert sloper.slopes(computation, "slopes", 2)[1] == "reference"
    assert any("away from the weights it has" in line for line in lines)


def test_what_takes_numpy_no_time_is_left_to_it(computation):
    assert Sloper("pytorch", 1e-3, 1, quiet).slopes(computation, "slopes", 3)[1] == "reference"


def test_a_smooth_slope_takes_two_lengths_of_step_and_a_kink_takes_all():
    def counted(function):
        calls = []

        def count(moved):
            calls.append(1)
            return function(moved["a"])

        arrays, ways = {"a": np.array([0.5])}, {"a": np.array([1.0])}
        slope_along(count, arrays, ways, function(arrays["a"]))
        return len(calls)

    assert counted(lambda a: float(np.tanh(a).sum())) == 4
    assert counted(lambda a: float(np.abs(a - 0.5).sum())) == 8
