"""Cells of a column in memory, equal ones once."""

from __future__ import annotations

from collections.abc import Iterable

MOST_KNOWN = 100_000
"""So many different cells of a column are known again."""
EACH, POINTER = 60, 8
"""What Python needs for a text beside its characters, and for one more place where it stands."""


class HeldCells:
    """Takes the cells of a column; `bytes` are about what they take."""

    def __init__(self) -> None:
        """Without cells."""
        self.cells: list[str] = []
        self.bytes = 0
        self._known: dict[str, str] = {}

    def extend(self, cells: Iterable[str]) -> None:
        """Several more cells."""
        for cell in cells:
            self.add(cell)

    def add(self, cell: str) -> None:
        """One more cell."""
        # Labels repeat: without this each row would have a text of its own.
        same = self._known.get(cell)
        if same is None:
            same = cell
            self.bytes += EACH + len(cell)
            if len(self._known) < MOST_KNOWN:
                self._known[cell] = cell
        self.bytes += POINTER
        self.cells.append(same)
