"""Of which kind the values of a name are in objects: truth values, numbers, texts or lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from allotrope.data.sources.list_cells import ListCells, Made
from allotrope.data.store.json_pages import JsonValues

LONG = 1000
"""Texts of more characters are kept each in memory of its own."""


@dataclass
class ValueKinds:
    """Goes over values by page, and remembers what all of them are."""

    count: int = 0
    missing: int = 0
    flags: bool = True
    numbers: bool = True
    texts: bool = True
    lists: ListCells = field(default_factory=ListCells)
    longest: int = 0
    characters: int = 0

    def take(self, values: Sequence[Any]) -> None:
        """Look at more values."""
        present = [value for value in values if value is not None]
        self.count += len(values)
        self.missing += len(values) - len(present)
        self.flags = self.flags and all(isinstance(value, bool) for value in present)
        self.numbers = self.numbers and all(isinstance(value, int | float) for value in present)
        self.texts = self.texts and all(isinstance(value, str) for value in present)
        self.lists.take(present)
        if self.texts:
            self.longest = max(self.longest, max(map(len, present), default=0))
            self.characters += sum(map(len, present))

    def made(self, long: bool) -> Made | None:
        """What makes arrays of values; None if they are of no kind. `long`: of long texts."""
        if self.flags and self.count > self.missing and not self.missing and not long:
            return partial(np.array, dtype=bool)
        if self.numbers and not long:
            return _numbers
        if not self.texts:
            return None if long else self.lists.made()
        is_long = long or self.longest > LONG
        return partial(_texts, np.dtypes.StringDType() if is_long else np.dtype("U"))

    @property
    def are_lists(self) -> bool:
        """Whether the values are lists, which are arrays [n, k]."""
        return not self.flags and not self.numbers and not self.texts

    @property
    def bytes_each(self) -> int:
        """What a value takes in an array, about."""
        if self.numbers:
            return 8
        if self.are_lists:
            return self.lists.bytes_each
        if self.longest > LONG:
            return 16 + self.characters // max(self.count, 1)
        return 4 * self.longest


def _numbers(values: Sequence[Any]) -> np.ndarray:
    """NaN for what is missing."""
    return np.array([np.nan if value is None else float(value) for value in values])


def _texts(dtype: np.dtype, values: Sequence[Any]) -> np.ndarray:
    return np.array(["" if value is None else value for value in values], dtype)


def pages_of_values(values: list[Any] | JsonValues) -> Iterator[list[Any]]:
    """The values of one page after the other; of a list all at once."""
    return values.pages() if isinstance(values, JsonValues) else iter((values,))
