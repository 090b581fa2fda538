"""What examples are called that are lines of a file: made when somebody asks for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np


class LineTitles(Sequence[str]):
    """`line 2`, `line 3`, … of the numbers [n]: a text for each would take more than its row."""

    def __init__(self, before: str, numbers: Sequence[int] | np.ndarray) -> None:
        """`before` stands before each number."""
        self.before, self.numbers = before, np.asarray(numbers, np.int64)

    def __len__(self) -> int:
        """The number of titles."""
        return len(self.numbers)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> LineTitles: ...
    def __getitem__(self, key: int | slice) -> str | LineTitles:
        """The title of a row, or those of a slice."""
        if isinstance(key, slice):
            return LineTitles(self.before, self.numbers[key])
        return f"{self.before} {self.numbers[key]}"

    def __eq__(self, other: object) -> bool:
        """Whether they are the same titles."""
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """Equal titles have equal hashes."""
        return hash(tuple(self))


def taken_titles(titles: Sequence[str], rows: np.ndarray) -> Sequence[str]:
    """The titles of these rows, in their order."""
    if isinstance(titles, LineTitles):
        return LineTitles(titles.before, titles.numbers[rows])
    return tuple(titles[row] for row in rows)
