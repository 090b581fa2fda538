"""Finds examples that are in two splits at once: they make a result look better than it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from allotrope.data.examples import SPLITS, Examples
from allotrope.data.reading import Reading
from allotrope.memory_limit import examples_at_once

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
    splits = [reading.splits[name] for name in SPLITS]
    hashes = np.concatenate([hashes_of(split, inputs) for split in splits])
    starts = np.cumsum([0, *map(len, splits)])
    firsts = _firsts(hashes)
    own = np.searchsorted(starts, np.arange(len(hashes)), side="right") - 1
    # Two in one split count twice there, but make no result look better. Splits come in order, so
    # that the first one is that from which a later one leaks.
    rows = np.flatnonzero(own != own[firsts])
    pairs: list[tuple[str, str]] = []
    relabelled = 0
    for row, first in zip(rows.tolist(), firsts[rows].tolist(), strict=True):
        place, earlier = own[row], own[first]
        later_row, first_row = int(row - starts[place]), int(first - starts[earlier])
        relabelled += _differ(splits[earlier], first_row, splits[place], later_row, tasks)
        if len(pairs) < LISTED:
            title = splits[earlier].title(first_row, SPLITS[earlier])
            pairs.append((title, splits[place].title(later_row, SPLITS[place])))
    return Duplicates(len(rows), relabelled, tuple(pairs))


def _firsts(hashes: np.ndarray) -> np.ndarray:
    """The first row with the same hash uint64 [n, 2] as each row, int64 [n].

    Sorted and not looked up: a dictionary of as many rows takes some 250 bytes for each.
    """
    order = np.lexsort(hashes.T)
    new = np.ones(len(order), bool)
    new[1:] = (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1)
    # Sorting leaves equal ones in their order: the first of each run is the first of all.
    starts = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    firsts = np.empty(len(order), np.int64)
    firsts[order] = order[starts]
    return firsts


def hashes_of(split: Examples, inputs: Sequence[str]) -> np.ndarray:
    """A hash an example, uint64 [n, 2], which takes far less memory than the examples."""
    hashes = np.empty((len(split), 2), np.uint64)
    at_once = examples_at_once({name: split[name] for name in inputs}, AT_ONCE)
    for start in range(0, len(split), at_once):
        columns = [split[name][start : start + at_once] for name in inputs]
        for row in range(len(columns[0])):
            hashes[start + row] = _hash([column[row] for column in columns])
    return hashes


def _hash(example: Sequence[np.ndarray]) -> np.ndarray:
    # 128 bits: among a billion examples two that differ do not meet by chance.
    state = blake2b(digest_size=16)
    for part in example:
        state.update(np.ascontiguousarray(part).data)
    return np.frombuffer(state.digest(), np.uint64)


def _differ(one: Examples, row: int, other: Examples, other_row: int, tasks: list[str]) -> bool:
    return any(
        # A label that is missing in both, NaN, is the same label.
        not np.array_equal(one[name][row], other[name][other_row], equal_nan=True)
        for name in tasks
    )
