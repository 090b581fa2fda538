"""Puts labels next to the marks of a chart so that they cover neither each other nor a mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LETTER = 6.9
REACH = 9
PLACES = (
    ("start", 10, -12),
    ("end", -10, -12),
    ("start", 10, 22),
    ("end", -10, 22),
    ("middle", 0, -16),
    ("middle", 0, 26),
    ("start", 16, 4),
    ("end", -16, 4),
)


@dataclass(frozen=True)
class Label:
    """A text at x, y (its baseline), anchored as SVG says: start, middle or end."""

    text: str
    x: float
    y: float
    anchor: str


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)

    def outside(self, other: Box) -> float:
        """The area of this rectangle that lies outside the other."""
        return (self.right - self.left) * (self.bottom - self.top) - self.overlap(other)


def placed(texts: Sequence[str], points: Sequence[tuple[float, float]], frame: Box) -> list[Label]:
    """A label for each non-empty text beside its point.

    Of all places the one that covers the least.
    """
    taken = [Box(x - REACH, y - REACH, x + REACH, y + REACH) for x, y in points]
    labels = []
    for text, (x, y) in zip(texts, points, strict=True):
        if not text:
            continue
        choices = [Label(text, x + across, y + down, anchor) for anchor, across, down in PLACES]
        best = min(
            choices,
            key=lambda label: (
                5 * _box(label).outside(frame) + sum(_box(label).overlap(other) for other in taken)
            ),
        )
        taken.append(_box(best))
        labels.append(best)
    return labels


def _box(label: Label) -> Box:
    width = len(label.text) * LETTER
    left = label.x - {"start": 0.0, "middle": width / 2, "end": width}[label.anchor]
    return Box(left, label.y - 11, left + width, label.y + 3)
