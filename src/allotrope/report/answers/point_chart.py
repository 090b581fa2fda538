"""A chart of points against a line that would be ideal: where everything goes, in pixels."""

from __future__ import annotations

from dataclasses import dataclass

from allotrope.report.scale import AxisTick

WIDTH, HEIGHT = 372, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 14, 40


@dataclass(frozen=True)
class Point:
    """A place of the chart; `title` says its numbers, `mark` is the style of what stands there."""

    x: float
    y: float
    title: str
    radius: float = 3.0
    mark: str = "example"


@dataclass(frozen=True)
class PointChart:
    """A chart in pixels: `ideal` is a line, `band` what lies near it."""

    title: str
    key: str
    x_title: str
    ideal: tuple[float, float, float, float]
    band: tuple[float, float] | None
    points: list[Point]
    summary: str
    x_ticks: list[AxisTick]
    y_ticks: list[AxisTick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
