"""The measure of an error: relative to the scale of the array, or of what it came from."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agreeing import STEPS
from allotrope.measure.agreement.comparer import compare_losses, compare_outputs, parting_step
from allotrope.measure.agreement.difference import difference, scale_of
from allotrope.network.graph import Node


@pytest.mark.parametrize(
    ("array", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.002], [1.0, 2.0], 1e-3),
        ([1.002, 2.0], [1.0, 2.0], 1e-3),
        ([-1e9, 1.001], [-1e9, 1.0], 1e-3),
        ([-1.001e9, 1.0], [-1e9, 1.0], 1e-3),
        ([np.inf, np.nan], [np.inf, np.nan], 0),
        ([np.inf, 1.0], [-np.inf, 1.0], np.inf),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([1e-300, 0.0], [0.0, 0.0], np.inf),
        ([], [], 0),
    ],
)
def test_errors_are_relative_to_the_scale_of_the_array(array, expected, error):
    assert difference(np.array(array), np.array(expected)).error == pytest.approx(error)


def test_integers_and_booleans_are_equal_or_not():
    assert difference(np.array([1, 2]), np.array([1, 2])).error == 0
    unequal = difference(np.array([1, 3, 4]), np.array([1, 2, 3]))
    assert unequal.error == math.inf
    assert unequal.text == "2 of 3 elements differ, the first: 3 instead of 2 at [1]"
    assert difference(np.array([True]), np.array([False])).error == math.inf


def test_an_error_says_what_it_looks_like():
    x = np.array([[1.0, -2.0], [3.0, 4.0]])
    assert "all have the other sign" in difference(-x, x).text
    assert "all are 2 times as large" in difference(2 * x, x).text
    assert "all are 0" in difference(0 * x, x).text
    assert "5 instead of 4 at [1, 1]" in difference(x + np.diag([0, 1]), x).text


def test_masks_are_no_scale():
    assert scale_of(np.array([-1e9, 0.5, -2.0, np.inf])) == 2.0


def test_what_cancels_is_held_to_what_it_came_from():
    nodes = [Node("Sub", ("a", "b"), ("y",)), Node("Mul", ("a", "b"), ("z",))]
    values = {"a": 100.0, "b": 100.0, "y": 0.0, "z": 0.0}
    expected = {name: np.array([value]) for name, value in values.items()}
    outputs = {**expected, "y": np.array([1e-12]), "z": np.array([1e-12])}
    judged = compare_outputs(nodes, outputs, expected, 1e-10)
    assert [departure.culprit for departure in judged.departures] == ["node 'z' (Mul)"]


def test_losses_part_where_they_differ_by_more_than_the_limit():
    assert parting_step([1.0, 2.0, 3.1], [1.0, 2.001, 3.0], 1e-3) == 3
    assert parting_step([1.0, 2.0], [1.0, 2.0], 1e-3) is None
    assert parting_step([1.0, math.nan], [1.0, 2.0], 1e-3) == 2
    assert compare_losses([1.0] * STEPS, [1.0] * STEPS, 1e-8).agrees
