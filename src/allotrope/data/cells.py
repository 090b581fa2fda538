"""What the cells of a column say: numbers, texts, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "nil", "-", "?", "#n/a", "missing"))
"""What stands for a number that is missing, in any case."""
MISSING_TEXT = frozenset(("", "nan", "#n/a"))
"""What stands for a text that is missing; `none` and `NA` may be classes."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?|[+-]?\d+")
INFINITE = frozenset(("inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"))
MOSTLY = 0.5
"""A column in which more cells than this part are numbers is meant to hold numbers."""


def numbers(cells: Sequence[str], decimal_comma: bool = False) -> tuple[np.ndarray, list[int]]:
    """Values float64 [n], NaN if one is missing, and the rows that hold neither."""
    pattern = DECIMAL_COMMA if decimal_comma else NUMBER
    values = np.full(len(cells), np.nan)
    strange = []
    for row, cell in enumerate(cells):
        if pattern.fullmatch(cell):
            values[row] = float(cell.replace(",", ".") if decimal_comma else cell)
        elif cell.lower() in INFINITE:
            values[row] = float(cell)
        elif cell.lower() not in MISSING:
            strange.append(row)
    return values, strange


def has_decimal_commas(cells: Sequence[str]) -> bool:
    """Whether all numbers are written as in 3,5."""
    present = [cell for cell in cells if cell.lower() not in MISSING]
    return any("," in cell for cell in present) and all(map(DECIMAL_COMMA.fullmatch, present))


def is_numeric(cells: Sequence[str]) -> bool:
    """Whether most cells that hold something hold numbers; others are then mistakes."""
    values, strange = numbers(cells, has_decimal_commas(cells))
    count = np.count_nonzero(~np.isnan(values))
    return bool(count > MOSTLY * (count + len(strange)))


def texts(cells: Sequence[str]) -> np.ndarray:
    """The cells as an array of texts [n]; empty if one is missing."""
    return np.array(["" if cell.lower() in MISSING_TEXT else cell for cell in cells], dtype="U")
