"""Examples without labels: parted from those to learn from, and kept away from the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.data.duplicates import hashes_of
from allotrope.data.examples import SPLITS, UNLABELLED, Examples
from allotrope.data.reading import Reading
from allotrope.data.store.stored_rows import chained
from allotrope.errors import DataError
from allotrope.tasks import Task
from allotrope.tasks.means import missing
from allotrope.wording import agreeing, counted

LISTED = 8


def without_label(tasks: Sequence[Task], columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which examples [n] have a label of no task."""
    known = [~missing(columns[task.name]) for task in tasks]
    each = [rows.reshape(len(rows), -1).any(axis=1) for rows in known]
    return np.asarray(~np.any(each, axis=0))


def set_apart(reading: Reading, rows: np.ndarray) -> None:
    """Puts these training examples, which have no label, beside those that came without any."""
    if not len(rows):
        return
    source = reading.splits["train"].take(rows)
    reading.notes.append(
        f"{counted(len(rows), reading.noun)} without a label "
        f"{agreeing(len(rows), 'is', 'are')} set apart: fit learns from them by --method, "
        "all else leaves them out"
    )
    before = reading.splits.get(UNLABELLED)
    reading.splits[UNLABELLED] = source if before is None else joined(before, source)


def joined(first: Examples, second: Examples) -> Examples:
    """The examples of both, those of the first in front."""
    columns = {name: chained(column, second[name]) for name, column in first.columns.items()}
    origin = None
    if first.origin is not None and second.origin is not None:
        origin = (*first.origin, *second.origin)
    return Examples(columns, origin)


def check_apart(reading: Reading, own: bool) -> None:
    """Takes out of the unlabelled examples what is in the test as well, by content.

    Raises: DataError naming them, if the unlabelled examples came in a place of their `own`: of
    what lies beside each other, such as rows of a table, two may be alike by chance.
    """
    unlabelled = reading.splits.get(UNLABELLED)
    if unlabelled is None:
        return
    names = [each.name for each in reading.inputs]
    test = hashes_of(reading.splits[SPLITS[2]], names)
    places = {tuple(row): place for place, row in reversed(list(enumerate(test.tolist())))}
    hashes = list(map(tuple, hashes_of(unlabelled, names).tolist()))
    same = [(row, places[one]) for row, one in enumerate(hashes) if one in places]
    if not same:
        return
    if own:
        raise DataError(_overlapping(reading, unlabelled, same))
    rows = np.setdiff1d(np.arange(len(unlabelled)), [row for row, _ in same])
    reading.splits[UNLABELLED] = unlabelled.take(rows)
    reading.notes.append(
        f"{counted(len(same), reading.noun)} without a label {agreeing(len(same), 'is', 'are')} "
        "the same as one of the test, and left out"
    )


def _overlapping(reading: Reading, unlabelled: Examples, same: list[tuple[int, int]]) -> str:
    test = reading.splits[SPLITS[2]]
    pairs = [
        f"{unlabelled.title(row, UNLABELLED)} = {test.title(place, SPLITS[2])}"
        for row, place in same[:LISTED]
    ]
    more = f" and {len(same) - LISTED:,} more" if len(same) > LISTED else ""
    return (
        f"{reading.name}: {counted(len(same), f'unlabelled {reading.noun}')} "
        f"{agreeing(len(same), 'is', 'are')} in the test as well: {', '.join(pairs)}{more}. What "
        "judges must not be learned from: take them out of the unlabelled ones."
    )


def check_without_labels(reading: Reading) -> None:
    """Raises: DataError if examples that came as unlabelled have labels."""
    unlabelled = reading.splits.get(UNLABELLED)
    if unlabelled is None:
        return
    rows = np.flatnonzero(~without_label(reading.tasks, unlabelled.columns))
    if len(rows):
        titles = ", ".join(unlabelled.title(int(row), UNLABELLED) for row in rows[:LISTED])
        raise DataError(
            f"{reading.name}: {counted(len(rows), f'unlabelled {reading.noun}')} "
            f"{agreeing(len(rows), 'has', 'have')} labels: {titles}. Put them into training, or "
            "leave their labels out."
        )
