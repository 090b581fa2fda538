"""Values of JSON objects by name on disk, a page of some objects' values of a name at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.data.store.cell_pages import MOST_CHARACTERS, MOST_ROWS, PART
from allotrope.data.store.run_file import RunFile
from allotrope.memory_limit import data_limit, require_memory

EACH = 8
"""What a value takes beside its text, about."""
Made = Callable[[list[Any]], np.ndarray]


class JsonPagesWriter:
    """Takes objects one after the other, and hands on the values of each name by page."""

    def __init__(self, add: Callable[[bytes], None]) -> None:
        """`add` is given the bytes of a page of a name."""
        self._add, self._count, self._size = add, 0, 0
        self._numbers: list[int] = []
        self._values: dict[str, list[Any]] = {}
        self._most = min(MOST_CHARACTERS, data_limit() // PART)
        self.pages: list[list[str]] = []
        self.starts = [0]

    def append(self, number: int, row: Mapping[str, Any]) -> None:
        """One more object, and the number of its line; what it lacks is missing."""
        for name in row:
            # Names may come late: what was before them is missing.
            if name not in self._values:
                self._values[name] = [None] * len(self._numbers)
        self._numbers.append(number)
        for name, values in self._values.items():
            value = row.get(name)
            values.append(value)
            self._size += EACH + (len(value) if isinstance(value, str) else 0)
        if len(self._numbers) == MOST_ROWS or self._size > self._most:
            self.finish()

    def finish(self) -> None:
        """Hand on what waits."""
        if not self._numbers:
            return
        for values in self._values.values():
            self._add(json.dumps(values).encode())
        self._add(json.dumps(self._numbers).encode())
        self.pages.append(list(self._values))
        self.starts.append(self.starts[-1] + len(self._numbers))
        self._numbers, self._values, self._size = [], {}, 0


@dataclass(frozen=True, eq=False)
class JsonPages:
    """The values in a file that `JsonPagesWriter` wrote: which names each page has, in order."""

    file: RunFile
    pages: list[list[str]]
    starts: np.ndarray

    @property
    def names(self) -> list[str]:
        """All names, in the order in which they come."""
        return list(dict.fromkeys(name for page in self.pages for name in page))

    def numbers(self) -> list[int]:
        """The number of each object's line."""
        return [number for page in range(len(self.pages)) for number in self._row(page, None)]

    def page(self, number: int, name: str) -> list[Any]:
        """The values of a name in a page, None for those that are missing."""
        if name in self.pages[number]:
            return self._row(number, name)
        return [None] * int(self.starts[number + 1] - self.starts[number])

    def _row(self, number: int, name: str | None) -> list[Any]:
        names = self.pages[number]
        # Behind the names of a page stand the numbers of its lines.
        first = sum(len(page) + 1 for page in self.pages[:number])
        place = len(names) if name is None else names.index(name)
        values: list[Any] = json.loads(self.file.row(first + place))
        return values


@dataclass(frozen=True, eq=False)
class JsonValues:
    """The values of a name, by page."""

    json: JsonPages
    name: str

    def __len__(self) -> int:
        """How many there are."""
        return int(self.json.starts[-1])

    def pages(self) -> Iterator[list[Any]]:
        """The values of one page after the other."""
        return (self.json.page(number, self.name) for number in range(len(self.json.pages)))


@dataclass(frozen=True, eq=False)
class JsonColumn:
    """A column [n] that `made` makes of values; `each` are the bytes of one in memory."""

    values: JsonValues
    made: Made
    each: int

    @property
    def starts(self) -> np.ndarray:
        """The first row of each page, and how many there are in all."""
        return self.values.json.starts

    def page(self, number: int) -> np.ndarray:
        """The values of a page."""
        return self.made(self.values.json.page(number, self.values.name))

    def whole(self) -> np.ndarray:
        """All of them. Raises: DataError if they do not fit in memory."""
        what = f"'{self.values.name}' as a whole"
        require_memory(len(self.values) * self.each, what, "Leave it out, or split the file.")
        return np.concatenate([self.made(values) for values in self.values.pages()])
