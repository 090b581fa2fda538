"""Finds examples that are in two splits at once: they make a result look better than it is."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from allotrope.data.examples import SPLITS, Examples
from allotrope.data.reading import Reading

LISTED = 100


@dataclass(frozen=True)
class Duplicates:
    """How many examples of a later split have the same inputs as one of an earlier split.

    `pairs` are the first such by title, `relabelled` counts those with other labels.
    """

    count: int
    relabelled: int
    pairs: tuple[tuple[str, str], ...]


def find_duplicates(reading: Reading) -> Duplicates:
    """Exact duplicates across splits, by a hash of all inputs of an example."""
    inputs, tasks = ([each.name for each in part] for part in (reading.inputs, reading.tasks))
    seen: dict[bytes, tuple[str, int]] = {}
    pairs: list[tuple[str, str]] = []
    count = relabelled = 0
    for name in SPLITS:
        split = reading.splits[name]
        for row in range(len(split)):
            # Splits come in order, so that the first one seen is that from which a later one leaks.
            first, first_row = seen.setdefault(_hash(split, inputs, row), (name, row))
            # Two in one split count twice there, but make no result look better.
            if first != name:
                count += 1
                earlier = reading.splits[first]
                relabelled += _differ(earlier, first_row, split, row, tasks)
                pairs.append((earlier.title(first_row, first), split.title(row, name)))
    return Duplicates(count, relabelled, tuple(pairs[:LISTED]))


def _hash(split: Examples, inputs: list[str], row: int) -> bytes:
    # 128 bits: among a billion examples two that differ do not meet by chance. A hash an example
    # takes far less memory than the examples.
    state = blake2b(digest_size=16)
    for name in inputs:
        state.update(np.ascontiguousarray(split[name][row]).data)
    return state.digest()


def _differ(one: Examples, row: int, other: Examples, other_row: int, tasks: list[str]) -> bool:
    return any(
        # A label that is missing in both, NaN, is the same label.
        not np.array_equal(one[name][row], other[name][other_row], equal_nan=True)
        for name in tasks
    )
