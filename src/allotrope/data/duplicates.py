"""Finds examples that are in two splits at once: they make a result look better than it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from allotrope.data.examples import SPLITS, Examples
from allotrope.data.reading import Reading

LISTED = 100
AT_ONCE = 256
"""Examples that are looked at at a time: they may lie on disk."""


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
        for row, key in enumerate(_hashes(split, inputs)):
            # Splits come in order, so that the first one seen is that from which a later one leaks.
            first, first_row = seen.setdefault(key, (name, row))
            # Two in one split count twice there, but make no result look better.
            if first != name:
                count += 1
                earlier = reading.splits[first]
                relabelled += _differ(earlier, first_row, split, row, tasks)
                pairs.append((earlier.title(first_row, first), split.title(row, name)))
    return Duplicates(count, relabelled, tuple(pairs[:LISTED]))


def _hashes(split: Examples, inputs: list[str]) -> Iterator[bytes]:
    """A hash an example, which takes far less memory than the examples."""
    for start in range(0, len(split), AT_ONCE):
        columns = [split[name][start : start + AT_ONCE] for name in inputs]
        for row in range(len(columns[0])):
            yield _hash([column[row] for column in columns])


def _hash(example: Sequence[np.ndarray]) -> bytes:
    # 128 bits: among a billion examples two that differ do not meet by chance.
    state = blake2b(digest_size=16)
    for part in example:
        state.update(np.ascontiguousarray(part).data)
    return state.digest()


def _differ(one: Examples, row: int, other: Examples, other_row: int, tasks: list[str]) -> bool:
    return any(
        # A label that is missing in both, NaN, is the same label.
        not np.array_equal(one[name][row], other[name][other_row], equal_nan=True)
        for name in tasks
    )
