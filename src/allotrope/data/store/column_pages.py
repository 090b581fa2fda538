"""Columns by page that are made of cells on disk: numbers, which lie there too, and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from allotrope.data.cells import known_text
from allotrope.data.store.cell_pages import PagedCells
from allotrope.data.store.run_file import RunFile

NUMBER = np.dtype(np.float64)


@dataclass(frozen=True, eq=False)
class NumberPages:
    """Numbers float64 [n], whose pages are rows of a file from `first` on.

    Behind them stands which rows of the column hold no number.
    """

    file: RunFile
    first: int
    starts: np.ndarray

    def page(self, number: int) -> np.ndarray:
        """The numbers of a page."""
        return np.frombuffer(self.file.row(self.first + number), NUMBER)

    def whole(self) -> np.ndarray:
        """All of them."""
        # Filled and not joined: parts and the whole would take twice the memory.
        column = np.empty(self.starts[-1], NUMBER)
        for number, (start, end) in enumerate(pairwise(self.starts)):
            column[start:end] = self.page(number)
        return column

    def strange(self) -> np.ndarray:
        """The rows int64 [k] that hold no number."""
        return np.frombuffer(self.file.row(self.first + len(self.starts) - 1), np.int64)


@dataclass(frozen=True, eq=False)
class TextPages:
    """Texts [n] of cells; of those that are `named` none says that something is missing.

    `dtype` is U, or that of long texts. `require` is told the bytes of the whole column.
    """

    cells: PagedCells
    longest: int
    named: bool
    dtype: np.dtype
    require: Callable[[int], None]

    @property
    def starts(self) -> np.ndarray:
        """The first row of each page, and how many there are in all."""
        return self.cells.starts

    def page(self, number: int) -> np.ndarray:
        """The texts of a page."""
        cells = self.cells.page(number)
        if not self.named:
            cells = [known_text(cell) for cell in cells]
        return np.array(cells, self.dtype)

    def whole(self) -> np.ndarray:
        """All of them. Raises: DataError if they do not fit in memory."""
        self.require(len(self.cells) * 4 * max(self.longest, 4))
        return np.concatenate(list(self._pages()))

    def _pages(self) -> Iterator[np.ndarray]:
        return (self.page(number) for number in range(len(self.starts) - 1))
