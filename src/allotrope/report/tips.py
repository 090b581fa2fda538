"""Tooltips inside a chart: a box with a few lines of text, kept within the borders.

Shown by CSS alone, no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LETTER = 6.6
LINE = 16
PADDING = 9


@dataclass(frozen=True)
class Tip:
    """A box at x, y (its top left corner) with lines of text, all in pixels of the chart."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]


def tip(lines: Sequence[str], x: float, y: float, width: float, height: float) -> Tip:
    """A box near the point x, y of a chart of width x height.

    Right of it if there is room, else left, else where it fits.
    """
    wide = min(width - 4, max(len(line) for line in lines) * LETTER + 2 * PADDING)
    high = len(lines) * LINE + 2 * PADDING - 4
    left = x + 14
    if left + wide > width - 2:
        left = x - 14 - wide
    left = max(2.0, min(left, width - wide - 2))
    top = max(2.0, min(y - high / 2, height - high - 2))
    return Tip(round(left, 1), round(top, 1), round(wide, 1), high, tuple(lines))
