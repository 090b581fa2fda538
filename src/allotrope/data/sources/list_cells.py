"""Cells that are lists: of texts, which are labels, or of as many numbers each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

Made = Callable[[Sequence[Any]], np.ndarray]
"""What makes an array [n, …] of cells, NaN where one is missing."""


@dataclass
class ListCells:
    """Goes over cells by page, and remembers whether all of them are lists, and of what."""

    texts: bool = True
    numbers: bool = True
    labels: set[str] = field(default_factory=set)
    widths: set[int] = field(default_factory=set)

    def take(self, cells: Sequence[Any]) -> None:
        """Look at more cells; None is a missing one."""
        for cell in cells:
            if not self.texts and not self.numbers:
                return
            if cell is not None:
                self._take(_entries(cell))

    def _take(self, entries: Sequence[Any]) -> None:
        self.texts = self.texts and all(isinstance(entry, str) for entry in entries)
        self.numbers = self.numbers and all(isinstance(entry, int | float) for entry in entries)
        self.widths.add(len(entries))
        if self.texts:
            self.labels.update(entries)

    def names(self) -> tuple[str, ...]:
        """The labels in their order; none if they are no labels."""
        return tuple(sorted(self.labels)) if self.texts else ()

    def made(self) -> Made | None:
        """What makes flags [n, labels] or numbers [n, width]; None if cells are no such lists."""
        if self.names():
            return partial(_flags, {label: place for place, label in enumerate(self.names())})
        if self.numbers and len(self.widths) == 1 and 0 not in self.widths:
            return partial(_vectors, max(self.widths))
        return None

    @property
    def bytes_each(self) -> int:
        """What a cell takes in an array."""
        return 4 * len(self.labels) if self.names() else 8 * max(self.widths, default=1)


def _entries(cell: Any) -> Sequence[Any]:
    """The entries of a list, tuple, array or set; of what is none, something of neither kind."""
    if isinstance(cell, np.ndarray):
        return list(cell.tolist()) if cell.ndim == 1 else [None]
    return list(cell) if isinstance(cell, list | tuple | set | frozenset) else [None]


def _flags(places: dict[str, int], cells: Sequence[Any]) -> np.ndarray:
    """float32 [n, labels]."""
    flags = np.zeros((len(cells), len(places)), np.float32)
    for row, cell in zip(flags, cells, strict=True):
        if cell is None:
            row[:] = np.nan
        else:
            row[[places[label] for label in _entries(cell)]] = 1
    return flags


def _vectors(width: int, cells: Sequence[Any]) -> np.ndarray:
    """float64 [n, width]."""
    missing = [np.nan] * width
    return np.array([missing if cell is None else _entries(cell) for cell in cells], np.float64)
