"""Columns of arrays on disk: each is written whole, and read as a whole or by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np

from allotrope.data.store.cell_pages import BETWEEN, MOST_CHARACTERS, MOST_ROWS
from allotrope.data.store.lazy_columns import LazyColumns
from allotrope.data.store.run_file import RunFile
from allotrope.memory_limit import data_limit, require_memory

EACH = 16
"""Bytes of a cell, about, by which pages are as long as a part of what memory may hold."""


def page_starts(count: int) -> np.ndarray:
    """The first row of each page of so many rows, and behind them how many there are."""
    most = min(MOST_ROWS, max(1, min(MOST_CHARACTERS, data_limit() // 4) // EACH))
    return np.append(np.arange(0, count, most), count)


class ArrayPagesWriter:
    """Takes columns [n, …] of numbers or texts, and hands on their pages; `facts` say the rest."""

    def __init__(self, starts: np.ndarray, add: Callable[[bytes], None]) -> None:
        """`starts` are those of the pages."""
        self._starts, self._add = starts, add
        self.facts: dict[str, Any] = {"starts": starts.tolist(), "columns": []}

    def append(self, name: str, column: np.ndarray) -> None:
        """One more column. Raises: ValueError for texts that hold zero bytes."""
        for start, end in pairwise(self._starts):
            self._add(_as_bytes(column[start:end]))
        said = {"name": name, "dtype": column.dtype.str, "shape": column.shape[1:]}
        self.facts["columns"].append(said)


def _as_bytes(page: np.ndarray) -> bytes:
    if page.dtype.kind != "U":
        return page.tobytes()
    # As wide as the longest text of all rows, the array itself would take several times the disk.
    cells = page.tolist()
    if any(BETWEEN in cell for cell in cells):
        raise ValueError("texts hold zero bytes")
    return BETWEEN.join(cells).encode("utf-8", "surrogatepass")


@dataclass(frozen=True, eq=False)
class ArrayPages:
    """A column [n, …] whose pages are rows of a file from `first` on."""

    file: RunFile
    first: int
    starts: np.ndarray
    dtype: np.dtype
    shape: tuple[int, ...] = ()

    def page(self, number: int) -> np.ndarray:
        """The values of a page."""
        data = self.file.row(self.first + number)
        if self.dtype.kind == "U":
            return np.array(data.decode("utf-8", "surrogatepass").split(BETWEEN), self.dtype)
        return np.frombuffer(data, self.dtype).reshape(-1, *self.shape)

    def whole(self) -> np.ndarray:
        """All of it. Raises: DataError if it does not fit in memory."""
        shape = (int(self.starts[-1]), *self.shape)
        require_memory(
            int(np.prod(shape)) * self.dtype.itemsize, "a column", "Leave long texts out."
        )
        column = np.empty(shape, self.dtype)
        for number, (start, end) in enumerate(pairwise(self.starts)):
            column[start:end] = self.page(number)
        return column


def columns_in(file: RunFile, facts: dict[str, Any]) -> LazyColumns:
    """The columns that `ArrayPagesWriter` wrote; those of several numbers a row are loaded."""
    starts = np.array(facts["starts"], np.int64)
    columns = LazyColumns(starts)
    for name, pages in _pages(file, facts, starts):
        columns[name] = cast(np.ndarray, pages.whole() if pages.shape else pages)
    return columns


def _pages(
    file: RunFile, facts: dict[str, Any], starts: np.ndarray
) -> Iterator[tuple[str, ArrayPages]]:
    for place, said in enumerate(facts["columns"]):
        dtype, shape = np.dtype(said["dtype"]), tuple(said["shape"])
        yield said["name"], ArrayPages(file, place * (len(starts) - 1), starts, dtype, shape)
