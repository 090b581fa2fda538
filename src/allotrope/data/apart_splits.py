"""Splits that keep examples apart: whole groups, or what came later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from allotrope.errors import DataError
from allotrope.wording import counted

LISTED = 5


@dataclass(frozen=True)
class Apart:
    """A column by split [n] that decides the splits: equal values are a `group`, or a `time`."""

    kind: str
    name: str
    values: Mapping[str, np.ndarray]

    def split_off(self, fraction: float, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
        """Training rows [m], ascending: about this fraction of all, out of the `rows` still free.

        Whole groups in a random order, or the latest; rows of one time stay together.
        Raises: DataError if nothing would be left to learn from.
        """
        values = self.values["train"]
        free, counts = np.unique(values[rows], return_counts=True)
        order = rng.permutation(len(free)) if self.kind == "group" else np.arange(len(free))[::-1]
        wanted = fraction * len(values)
        enough = int(np.searchsorted(np.cumsum(counts[order]), wanted)) + 1
        if enough >= len(free):
            raise DataError(
                f"'{self.name}' has {counted(len(np.unique(values)), 'different value')} among "
                f"{counted(len(values), 'row')}: too few to part them by. Expected some for each "
                "of training, validation and test."
            )
        return rows[np.isin(values[rows], free[order[:enough]])]

    def described(self, part: np.ndarray) -> str:
        """How rows were chosen, for a line."""
        values = self.values["train"][part]
        if self.kind == "group":
            return f"whole groups by '{self.name}' ({len(np.unique(values)):,})"
        return f"the latest by '{self.name}'"

    def shared(self) -> list[str]:
        """A line for each two splits that the source brings with groups in common."""
        if self.kind != "group":
            return []
        splits, lines = list(self.values), []
        for number, first in enumerate(splits):
            for second in splits[number + 1 :]:
                common = np.intersect1d(self.values[first], self.values[second])
                if len(common):
                    shown = ", ".join(map(str, common[:LISTED]))
                    lines.append(
                        f"{counted(len(common), 'group')} of '{self.name}' stand in {first} and in "
                        f"{second}: {shown}"
                    )
        return lines
