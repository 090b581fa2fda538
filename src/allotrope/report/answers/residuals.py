"""Answers and errors against the truth: where every point of the two charts goes."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.report.answers.point_chart import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Point,
    PointChart,
)
from allotrope.report.formatting import count, significant
from allotrope.report.scale import AxisScale, spanning

FEWEST = 3

Points = Sequence[tuple[float, float]]
"""(true, answered)."""


def answer_chart(points: Points, unit: str) -> PointChart | None:
    """Answered against true; None for fewer than FEWEST points."""
    if len(points) < FEWEST:
        return None
    values = [value for point in points for value in point]
    x, y = spanning(values, LEFT, WIDTH - RIGHT), spanning(values, HEIGHT - BOTTOM, TOP)
    ideal = (x(x.low), y(x.low), x(x.high), y(x.high))
    places = [Point(x(true), y(answer), _title(true, answer)) for true, answer in points]
    summary = f"Answers against the truth, {count(len(points))} test examples."
    return _chart("Answer against truth", "right answers", unit, x, y, ideal, None, places, summary)


def error_chart(points: Points, rmse: float | None, unit: str) -> PointChart | None:
    """Answered minus true, against true; None for fewer than FEWEST points."""
    if len(points) < FEWEST:
        return None
    errors = [answer - true for true, answer in points]
    reach = max(max(abs(error) for error in errors), rmse or 0.0) or 1.0
    x = spanning([true for true, _ in points], LEFT, WIDTH - RIGHT)
    y = spanning([-reach, reach], HEIGHT - BOTTOM, TOP)
    ideal = (x(x.low), y(0), x(x.high), y(0))
    band = None if rmse is None else (y(rmse), y(-rmse))
    places = [
        Point(x(true), y(error), _title(true, true + error))
        for (true, _), error in zip(points, errors, strict=True)
    ]
    summary = f"Errors against the truth, the largest {significant(reach, 4)} {unit}".rstrip() + "."
    key = "no error, and the band of one RMSE"
    return _chart("Error against truth", key, unit, x, y, ideal, band, places, summary)


def _chart(
    title: str,
    key: str,
    unit: str,
    x: AxisScale,
    y: AxisScale,
    ideal: tuple[float, float, float, float],
    band: tuple[float, float] | None,
    points: list[Point],
    summary: str,
) -> PointChart:
    return PointChart(
        title=title + (f", {unit}" if unit else ""),
        key=key,
        x_title="true",
        ideal=ideal,
        band=band,
        points=points,
        summary=summary,
        x_ticks=x.ticks(6),
        y_ticks=y.ticks(6),
    )


def _title(true: float, answer: float) -> str:
    error = answer - true
    sign = "+" * (error > 0)
    return (
        f"true {significant(true, 4)}, answered {significant(answer, 4)} "
        f"({sign}{significant(error, 3)})"
    )
