"""Splits by groups and by time: nothing of a group in two splits, the test is the latest."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.errors import DataError, UsageError

COUNT = 120
RANDOM = np.random.default_rng(0)
COLUMNS = {
    "x": RANDOM.normal(size=COUNT),
    "patient": np.array([f"p{row}" for row in RANDOM.integers(0, 24, COUNT)]),
    "day": RANDOM.permutation(COUNT) // 2,
    "label": np.arange(COUNT) % 2,
}


def together(data, name):
    """The rows of each split, told by x."""
    rows = {x: row for row, x in enumerate(np.float32(COLUMNS["x"]).tolist())}
    return {
        split: [COLUMNS[name][rows[x]] for x in part["table"][:, 0].tolist()]
        for split, part in data.splits.items()
    }


def test_no_group_stands_in_two_splits():
    data = allotrope.read(COLUMNS, target="label", group="patient")
    parts = together(data, "patient")
    names = [set(part) for part in parts.values()]
    assert sum(map(len, names)) == len(set.union(*names)) == len(set(COLUMNS["patient"]))
    assert len(parts["test"]) >= 0.2 * COUNT and len(parts["train"]) >= 0.5 * COUNT
    assert "whole groups by 'patient'" in str(data)
    assert "patient" not in data.inputs[0].columns
    other = together(allotrope.read(COLUMNS, target="label", group="patient", seed=1), "patient")
    assert set(other["test"]) != set(parts["test"])


def test_the_test_is_the_latest():
    data = allotrope.read(COLUMNS, target="label", time="day")
    parts = together(data, "day")
    assert max(parts["train"]) < min(parts["validation"])
    assert max(parts["validation"]) < min(parts["test"])
    assert len(parts["test"]) == 0.2 * COUNT
    assert "the latest by 'day'" in str(data)
    dates = [f"2026-{1 + day // 28:02}-{1 + day % 28:02}" for day in COLUMNS["day"].tolist()]
    dated = allotrope.read({**COLUMNS, "day": np.array(dates)}, target="label", time="day")
    assert np.array_equal(dated.test["table"], data.test["table"])


def test_groups_in_two_splits_of_the_source_are_said():
    parts = {"train": slice(0, 80), "test": slice(80, COUNT)}
    by_split = {
        split: {name: column[part] for name, column in COLUMNS.items()}
        for split, part in parts.items()
    }
    data = allotrope.read(by_split, target="label", group="patient")
    assert "of 'patient' stand in train and in test: p" in str(data)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"group": "patients"}, UsageError, "--group: there is no column 'patients'"),
        ({"group": "patient", "time": "day"}, UsageError, "Leave one out"),
        ({"time": "patient"}, UsageError, "expected numbers or dates"),
        ({"group": "label", "target": "x"}, DataError, "has 2 different values among"),
    ],
)
def test_what_cannot_part_is_refused(options, kind, words):
    with pytest.raises(kind, match=words):
        allotrope.read(COLUMNS, **{"target": "label", **options})
    with pytest.raises(UsageError, match="--group: there is no column 'x'"):
        allotrope.read("digits", group="x")
