"""Columns of a table that lies on disk: each is an array when it is asked for, and only then.

So whatever looks at one column after the other is written once, for tables of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from itertools import pairwise
from typing import Protocol, cast

import numpy as np

from allotrope.data.store.stored_texts import StoredTexts, rows_of_column

Columns = MutableMapping[str, np.ndarray]
"""Columns [n, …] of one split by name: a dictionary, or `LazyColumns`."""


class Pages(Protocol):
    """A column [n] by page; page i has the rows from `starts[i]` to before `starts[i + 1]`."""

    @property
    def starts(self) -> np.ndarray:
        """The first row of each page, and how many there are in all, int64 [p + 1]."""

    def page(self, number: int) -> np.ndarray:
        """The values of a page."""

    def whole(self) -> np.ndarray:
        """The values of all rows. Raises: DataError if they do not fit in memory."""


Entry = np.ndarray | Pages


class LazyColumns(MutableMapping[str, np.ndarray]):
    """Some rows of columns [n] by name; those by page are loaded whenever one is asked for.

    `rows` [m] are those taken of all rows, ascending. What is no column by page has m rows already.
    The column that was asked for last is held: most are asked for several times in a row.
    """

    def __init__(self, starts: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Without columns; `starts` are those of the pages of all that are added."""
        self.starts = starts
        self.rows = np.arange(starts[-1]) if rows is None else rows
        self._entries: dict[str, Entry] = {}
        self._last: tuple[str, np.ndarray] | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        """The column of these rows."""
        entry = self._entries[name]
        if not _by_page(entry):
            return cast(np.ndarray, entry)
        if self._last is None or self._last[0] != name:
            self._last = None  # never two at once
            self._last = name, self._taken(cast(Pages, entry).whole())
        return self._last[1]

    def _taken(self, whole: np.ndarray) -> np.ndarray:
        # Rows are never taken twice: as many as there are all of them.
        return whole if len(self.rows) == len(whole) else whole[self.rows]

    def __contains__(self, name: object) -> bool:
        """Whether there is such a column; nothing is loaded."""
        return name in self._entries

    def __setitem__(self, name: str, entry: Entry) -> None:
        """A column, of these rows; or by page, of all rows."""
        self._last = None
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        """Take a column away."""
        self._last = None
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        """The names, in their order."""
        return iter(self._entries)

    def __len__(self) -> int:
        """How many columns there are."""
        return len(self._entries)

    def copy(self) -> LazyColumns:
        """The same columns, to be changed."""
        columns = LazyColumns(self.starts, self.rows)
        columns._entries = dict(self._entries)
        return columns

    def take(self, rows: np.ndarray) -> LazyColumns:
        """These of the rows, ascending; nothing is loaded."""
        columns = LazyColumns(self.starts, self.rows[rows])
        for name, entry in self._entries.items():
            if not _by_page(entry):
                entry = rows_of_column(cast(np.ndarray, entry), rows)
            columns._entries[name] = entry
        return columns

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a column."""
        entry = self._entries[name]
        return (len(self.rows),) if _by_page(entry) else cast(np.ndarray, entry).shape

    def by_page(self) -> Iterator[Mapping[str, np.ndarray]]:
        """The columns of the rows of one page after the other."""
        # Rows ascend, so that those of a page are next to each other, and each page is read once.
        ends = np.searchsorted(self.rows, self.starts)
        for number, (start, end) in enumerate(pairwise(ends)):
            if end > start:
                yield _Page(self, number, int(start), int(end))

    def part(self, name: str, number: int, start: int, end: int) -> np.ndarray:
        """The rows of a column from `start` to before `end`, which are those of a page."""
        entry = self._entries[name]
        if _by_page(entry):
            values = cast(Pages, entry).page(number)
            return values[self.rows[start:end] - self.starts[number]]
        return cast(np.ndarray, entry)[start:end]


class _Page(Mapping[str, np.ndarray]):
    """The columns of the rows of a page."""

    def __init__(self, columns: LazyColumns, number: int, start: int, end: int) -> None:
        self._columns, self._place = columns, (number, start, end)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns.part(name, *self._place)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class LazyParts(Mapping[str, np.ndarray]):
    """A column by split, of which the parts by page are loaded whenever one is asked for."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        """`entries`: the parts."""
        self.entries = entries

    def __getitem__(self, split: str) -> np.ndarray:
        """The part of a split."""
        entry = self.entries[split]
        return cast(Pages, entry).whole() if _by_page(entry) else cast(np.ndarray, entry)

    def __contains__(self, split: object) -> bool:
        """Whether there is such a split; nothing is loaded."""
        return split in self.entries

    def __iter__(self) -> Iterator[str]:
        """The splits."""
        return iter(self.entries)

    def __len__(self) -> int:
        """How many splits there are."""
        return len(self.entries)


class Computed(Mapping[str, np.ndarray]):
    """Columns by name that are made whenever one is asked for."""

    def __init__(self, names: Sequence[str], make: Callable[[str], np.ndarray]) -> None:
        """`make` is asked by name."""
        self._names, self._make = names, make

    def __getitem__(self, name: str) -> np.ndarray:
        """The column."""
        return self._make(name)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a column; nothing is made."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._names)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._names)


def _by_page(entry: Entry) -> bool:
    return not isinstance(entry, np.ndarray | StoredTexts)


# --- what is done with columns, be they lazy or not


def taken(columns: Columns, rows: np.ndarray) -> Columns:
    """These rows of all columns, ascending if they lie on disk."""
    if isinstance(columns, LazyColumns):
        return columns.take(rows)
    return {name: rows_of_column(column, rows) for name, column in columns.items()}


def changed(columns: Columns, others: Mapping[str, Entry]) -> Columns:
    """The columns with others in the place of those of their names, or behind all."""
    copy = columns.copy() if isinstance(columns, LazyColumns) else dict(columns)
    for name, entry in others.items():
        copy[name] = cast(np.ndarray, entry)
    return copy


def without(columns: Columns, names: Sequence[str]) -> Columns:
    """The columns but for those of these names."""
    copy = changed(columns, {})
    for name in names:
        del copy[name]
    return copy


def shape_of(columns: Columns, name: str) -> tuple[int, ...]:
    """The shape of a column; nothing is loaded."""
    if isinstance(columns, LazyColumns):
        return columns.shape(name)
    return columns[name].shape


def pages_of(columns: Columns) -> Iterator[Mapping[str, np.ndarray]]:
    """The columns of some rows after the other; of those in memory all at once."""
    if isinstance(columns, LazyColumns):
        yield from columns.by_page()
    else:
        yield columns


def count_of(columns: Columns) -> int:
    """How many rows there are; nothing is loaded."""
    return shape_of(columns, next(iter(columns)))[0]


def between(columns: Columns, start: int, end: int) -> Columns:
    """The rows from `start` to before `end`; nothing is loaded, nor copied."""
    if isinstance(columns, LazyColumns):
        return columns.take(np.arange(start, end))
    return {name: column[start:end] for name, column in columns.items()}
