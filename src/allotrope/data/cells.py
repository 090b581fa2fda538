"""What the cells of a column say: texts, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MISSING_TEXT = frozenset(("", "nan", "#n/a"))
"""What stands for a text that is missing; `none` and `NA` may be classes."""


def texts(cells: Sequence[str]) -> np.ndarray:
    """The cells as an array of texts [n]; empty if one is missing."""
    return np.array([known_text(cell) for cell in cells], dtype="U")


def known_text(cell: str) -> str:
    """The cell; nothing if it says that its text is missing."""
    return "" if cell.lower() in MISSING_TEXT else cell
