"""Examples of like lengths come together, so that little of what is computed is padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.frameworks.contract import Arrays
from allotrope.inputs.contract import Input


def lengths_of(inputs: Sequence[Input], columns: Arrays) -> np.ndarray | None:
    """The length of each example, int [n], of several inputs added up; None if all are alike."""
    own = [each.lengths(columns[each.name]) for each in inputs]
    known = [lengths for lengths in own if lengths is not None]
    return np.sum(known, axis=0) if known else None


def by_length(
    rows: np.ndarray, lengths: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """The same rows so that each `size` of them, from the first on, are of like lengths.

    Batches come in a random order, and rows of one length stay in theirs. Rows that fill no batch
    stay at the end, whatever their lengths.
    """
    # Rows come in a random order: without this the longest would be those that fill no batch.
    whole = len(rows) // size * size
    taken = rows[:whole]
    batches = taken[np.argsort(lengths[taken], kind="stable")].reshape(-1, size)
    return np.concatenate([rng.permutation(batches).reshape(-1), rows[whole:]])


def cut(inputs: Sequence[Input], columns: Arrays) -> dict[str, np.ndarray]:
    """What the network takes of some examples, without what is padding in all of them."""
    return {each.name: each.cut(columns[each.name]) for each in inputs}


def ordinary(inputs: Sequence[Input], columns: Arrays, count: int) -> dict[str, np.ndarray]:
    """`count` examples as they come to who uses a network, without padding.

    One is of the median length; several are the first ones, repeated if there are fewer.
    """
    every = len(next(iter(columns.values())))
    rows = np.arange(count) % every
    lengths = lengths_of(inputs, columns)
    if count == 1 and lengths is not None:
        rows = np.argsort(lengths, kind="stable")[[every // 2]]
    taken = {name: x[rows] for name, x in columns.items()}
    return {**taken, **cut(inputs, taken)}
