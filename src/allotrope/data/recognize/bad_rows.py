"""Rows that keep columns from being learned from: named all at once, or left out if asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from allotrope.data.recognize.date_order import DATE_KINDS, unread_dates
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.total_rows import total_row
from allotrope.data.store.lazy_columns import Computed, Entry, LazyParts, changed, count_of
from allotrope.errors import DataError
from allotrope.inputs.table.cell_codes import EPOCH_FORMS
from allotrope.wording import counted

LISTED = 5
LONGEST = 40
"""Characters of a cell that a message shows."""
NUMBER, REGRESSION, MULTILABEL = "number", "regression", "multilabel"
CLASSIFICATION = "classification"
HELD_OUT = {"validation", "test"}


@dataclass(frozen=True)
class BadRows:
    """A column, what is wrong with it in some rows, those rows by split, and whether to show them.

    `remedy` may be taken instead of mending them.
    """

    column: str
    problem: str
    rows: Mapping[str, np.ndarray]
    remedy: str = ""

    def described(self, frame: Frame) -> str:
        """The problem with the first rows, and their cells."""
        places = [(split, int(row)) for split, rows in self.rows.items() for row in rows]
        shown = ", ".join(self._shown(frame, *place) for place in places[:LISTED])
        more = f" and {len(places) - LISTED:,} more" if len(places) > LISTED else ""
        return f"'{self.column}' {self.problem} {shown}{more}"

    def _shown(self, frame: Frame, split: str, row: int) -> str:
        cell = str(frame.splits[split][self.column][row])
        if cell == "nan":
            cell = ""
        if len(cell) > LONGEST:
            cell = f"{cell[:LONGEST]}…"
        return f"'{cell}' ({frame.row(split, row)})" if cell else frame.row(split, row)


def without_bad_rows(
    frame: Frame, inputs: Mapping[str, str], tasks: Mapping[str, str], skip: bool
) -> Frame:
    """The frame as inputs and tasks of these kinds can be made of it.

    Raises: DataError for what can be read in two ways; and, unless they are to be skipped, for
    rows whose cells cannot be read, with all columns in one message.
    """
    doubts = [frame.doubtful[name] for name in (*inputs, *tasks) if name in frame.doubtful]
    if doubts:
        raise DataError(f"{frame.name}: " + "\n".join(doubts))
    bad = [*_of_inputs(frame, inputs), *_of_tasks(frame, tasks), *_totals(frame, inputs, tasks)]
    if bad and not skip:
        raise DataError(_refusal(frame, bad))
    # Said of the cells as they were, before numbers take their place.
    frame.notes.extend(f"rows left out: {each.described(frame)}" for each in bad)
    frame = _with_numbers(frame, inputs, tasks)
    return _without(frame, bad) if bad else frame


def _of_inputs(frame: Frame, kinds: Mapping[str, str]) -> Iterator[BadRows]:
    for name, kind in kinds.items():
        if kind == NUMBER or kind in EPOCH_FORMS:
            remedy = f"--input {name}=categorical or {name}=none"
            yield from _of_numbers(frame, name, remedy)
        elif kind in DATE_KINDS:
            rows = unread_dates(frame, name)
            if _any(rows):
                yield BadRows(name, "holds dates, but no date of their form in some rows:", rows)


def _of_tasks(frame: Frame, kinds: Mapping[str, str]) -> Iterator[BadRows]:
    for name, kind in kinds.items():
        if kind == REGRESSION:
            yield from _of_numbers(frame, name, f"--task {name}=classification")
    if len(kinds) == 1:
        # Beside other tasks a row without this label may teach those; alone it teaches nothing.
        ((name, kind),) = kinds.items()
        if kind == MULTILABEL and frame.splits["train"][name].ndim == 1:
            return  # an empty cell has none of the labels
        # Of classes it does if it is for training: fit learns from unlabelled examples.
        judging = frame.splits.keys() & HELD_OUT if kind == CLASSIFICATION else frame.splits
        rows = {split: _missing(frame, split, name) for split in sorted(judging)}
        if _any(rows):
            yield BadRows(name, "has no label in", rows)


def _totals(frame: Frame, inputs: Mapping[str, str], tasks: Mapping[str, str]) -> Iterator[BadRows]:
    """Last rows that sum up the others; those that are only called so are said, and stay."""
    counted_names = [name for name, kind in inputs.items() if kind == NUMBER]
    counted_names += [name for name, kind in tasks.items() if kind == REGRESSION]
    for split, columns in frame.splits.items():
        # One column after the other: all of them may be more than the memory.
        # What is no number is refused as that, by whoever makes a task of it.
        flat = [name for name in counted_names if _is_flat(_values(frame, split, name))]
        others = [name for name in columns if name not in counted_names]
        texts = [name for name in others if columns[name].dtype.kind in "UT"]
        numbers = Computed(flat, partial(_floats, frame, split))
        total = total_row(Computed(texts, columns.__getitem__), numbers)
        if total is None:
            continue
        last = count_of(columns) - 1
        if total.column:
            problem = f"is the {total.what} of the rows above, and no example, in the last row:"
            yield BadRows(total.column, problem, {split: np.array([last])})
        else:
            frame.notes.append(
                f"the last row ({frame.row(split, last)}) says '{total.word}', but its numbers "
                "sum up no column: it is learned from. Remove it if it is no example"
            )


def _of_numbers(frame: Frame, name: str, remedy: str) -> Iterator[BadRows]:
    spoiled = frame.spoiled.get(name)
    if spoiled is not None and _any(spoiled.rows):
        problem = "holds numbers, but texts in some rows:"
        yield BadRows(name, problem, spoiled.rows, remedy)
    columns = {split: _values(frame, split, name) for split in frame.splits}
    endless = {split: np.flatnonzero(_endless(column)) for split, column in columns.items()}
    if _any(endless):
        yield BadRows(name, "holds infinite numbers, or too large ones:", endless)


def _floats(frame: Frame, split: str, name: str) -> np.ndarray:
    return _values(frame, split, name).astype(float)


def _is_flat(column: np.ndarray) -> bool:
    return column.ndim == 1 and column.dtype.kind in "fiub"


def _values(frame: Frame, split: str, name: str) -> np.ndarray:
    spoiled = frame.spoiled.get(name)
    return frame.splits[split][name] if spoiled is None else spoiled.numbers[split]


def _endless(column: np.ndarray) -> np.ndarray:
    """Which rows [n] hold what float32 cannot."""
    if column.dtype.kind not in "fiu":
        return np.zeros(len(column), bool)
    with np.errstate(over="ignore"):
        endless = np.isinf(column.astype(np.float32))
    return np.asarray(endless.reshape(len(column), -1).any(axis=1))


def _missing(frame: Frame, split: str, name: str) -> np.ndarray:
    spoiled = frame.spoiled.get(name)
    column = frame.splits[split][name]
    if column.dtype.kind in "US" and column.ndim == 1:
        return np.flatnonzero(column == column.dtype.type())
    if column.dtype.kind != "f" or spoiled is not None:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.isnan(column).reshape(len(column), -1).any(axis=1))


def _any(rows: Mapping[str, np.ndarray]) -> bool:
    return any(len(part) for part in rows.values())


def _refusal(frame: Frame, bad: list[BadRows]) -> str:
    listed = "\n".join(f"  {each.described(frame)}" for each in bad)
    others = [each.remedy for each in bad if each.remedy]
    remedy = f", say {'; '.join(dict.fromkeys(others))}," if others else ","
    return (
        f"{frame.name}: rows that cannot be learned from:\n{listed}\n"
        f"Mend them{remedy} or leave these rows out with --skip-bad-rows."
    )


def _with_numbers(frame: Frame, inputs: Mapping[str, str], tasks: Mapping[str, str]) -> Frame:
    """The frame with numbers in place of the texts of columns that are taken as numbers."""
    numbers = (NUMBER, *EPOCH_FORMS)
    as_numbers = {name for name, kind in inputs.items() if kind in numbers}
    as_numbers |= {name for name, kind in tasks.items() if kind == REGRESSION}
    taken = {name: each for name, each in frame.spoiled.items() if name in as_numbers}
    splits = {
        split: changed(part, {name: _entry(each.numbers, split) for name, each in taken.items()})
        for split, part in frame.splits.items()
    }
    return replace(frame, splits=splits)


def _entry(numbers: Mapping[str, np.ndarray], split: str) -> Entry:
    """The numbers of a split, which are not loaded if they lie on disk."""
    if isinstance(numbers, LazyParts):
        return numbers.entries[split]
    return numbers[split]


def _without(frame: Frame, bad: list[BadRows]) -> Frame:
    """The frame without these rows. Raises: DataError if none are left."""
    left_out: dict[str, set[int]] = defaultdict(set)
    for each in bad:
        for split, rows in each.rows.items():
            left_out[split] |= set(rows.tolist())
    rest = {
        split: np.setdiff1d(np.arange(count_of(part)), sorted(left_out[split]))
        for split, part in frame.splits.items()
    }
    empty = [split for split, rows in rest.items() if not len(rows)]
    if empty:
        raise DataError(f"{frame.name}: no row of {' and '.join(empty)} can be learned from.")
    count = sum(map(len, left_out.values()))
    whole = count + sum(map(len, rest.values()))
    frame.notes.append(f"{counted(count, 'row')} of {whole:,} left out, as was asked for")
    return frame.take(rest)
