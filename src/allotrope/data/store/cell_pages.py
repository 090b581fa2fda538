"""Cells of the columns of a table on disk: a page of a column is one row of a `RunFile`.

Behind the pages of some rows of all columns stand the lines of these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import overload

import numpy as np

from allotrope.data.store.run_file import RunFile
from allotrope.memory_limit import data_limit

BETWEEN = "\0"
"""What stands between the cells of a page; a table holds none."""
MOST_ROWS, MOST_CELLS, MOST_CHARACTERS = 65_536, 1_000_000, 16_000_000
"""A page has so many rows; of wide tables so many that all columns have so many cells, and fewer
if these are long."""
PART = 4
"""And no more than such a part of what may be held in memory."""


class CellPagesWriter:
    """Takes the cells of one row after the other, and hands on pages as bytes."""

    def __init__(self, width: int, add: Callable[[bytes], None]) -> None:
        """`width`: how many cells a row has."""
        self._add, self._most = add, max(1, min(MOST_ROWS, MOST_CELLS // max(width, 1)))
        self._rows: list[Sequence[str]] = []
        self._lines: list[int] = []
        self._characters = 0
        self._most_characters = min(MOST_CHARACTERS, data_limit() // PART)

    def append(self, line: int, cells: Sequence[str]) -> None:
        """One more row, and the line of the file that it is."""
        self._rows.append(cells)
        self._lines.append(line)
        self._characters += sum(map(len, cells))
        if len(self._rows) == self._most or self._characters > self._most_characters:
            self.finish()

    def finish(self) -> None:
        """Hand on what waits."""
        if not self._rows:
            return
        # One row of the file for each column, so that a column is read without the others.
        for column in zip(*self._rows, strict=True):
            self._add(BETWEEN.join(column).encode())
        self._add(np.array(self._lines, np.int64).tobytes())
        self._rows, self._lines, self._characters = [], [], 0


@dataclass(frozen=True, eq=False)
class CellPages:
    """Cells by page and column; page i has the rows from `starts[i]` to before `starts[i + 1]`."""

    file: RunFile
    width: int
    starts: np.ndarray

    @classmethod
    def of(cls, file: RunFile, width: int) -> CellPages:
        """The pages in a file that `CellPagesWriter` wrote."""
        behind = np.arange(width, file.shape[0], width + 1)
        counts = file.sizes(behind) // np.dtype(np.int64).itemsize
        return cls(file, width, np.cumsum([0, *counts], dtype=np.int64))

    def lines(self) -> np.ndarray:
        """The line of each row, int64 [n]."""
        parts = [self._bytes(number, self.width) for number in range(len(self.starts) - 1)]
        return np.frombuffer(b"".join(parts), np.int64)

    def page(self, number: int, place: int) -> list[str]:
        """The cells of a page of a column."""
        return self._bytes(number, place).decode().split(BETWEEN)

    def _bytes(self, number: int, place: int) -> bytes:
        return self.file.row(number * (self.width + 1) + place)


@dataclass(frozen=True, eq=False)
class PagedCells(Sequence[str]):
    """The cells of a column, read by page."""

    cells: CellPages
    place: int

    @property
    def starts(self) -> np.ndarray:
        """The first row of each page, and how many there are in all."""
        return self.cells.starts

    def pages(self) -> Iterator[list[str]]:
        """The cells of one page after the other."""
        return (self.page(number) for number in range(len(self.starts) - 1))

    def page(self, number: int) -> list[str]:
        """The cells of a page."""
        return self.cells.page(number, self.place)

    def __len__(self) -> int:
        """How many cells there are."""
        return int(self.starts[-1])

    def __iter__(self) -> Iterator[str]:
        """All of them."""
        return (cell for page in self.pages() for cell in page)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        """The cell of a row, or those of a slice that goes forward."""
        rows = np.arange(len(self))[key]
        if isinstance(key, slice):
            return self._those(rows)
        return self._those(rows.reshape(1))[0]

    def _those(self, rows: np.ndarray) -> list[str]:
        """The cells of these rows, ascending: no page is read twice."""
        ends = np.searchsorted(rows, self.starts)
        cells: list[str] = []
        for number, (start, end) in enumerate(pairwise(ends)):
            if end > start:
                page = self.page(number)
                places = rows[start:end] - self.starts[number]
                cells.extend(page[place] for place in places.tolist())
        return cells


Cells = Sequence[str]


def pages_of_cells(cells: Cells) -> Iterator[Sequence[str]]:
    """The cells of one page after the other; of a list all at once."""
    if isinstance(cells, PagedCells):
        return cells.pages()
    return iter((cells,))
