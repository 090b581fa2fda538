"""Confidence against how often answers are right: a reliability diagram."""

from __future__ import annotations

from math import sqrt

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
from allotrope.report.formatting import count, percent
from allotrope.report.record import Record
from allotrope.report.scale import AxisScale

LARGEST = 11.0
"""Pixels of radius if all answers lie in one bin: areas are as counts."""
SMALLEST = 2.0


def reliability(calibration: Record, of: str) -> PointChart | None:
    """The diagram of what `tasks.calibration` found; None if there is nothing to show.

    `of` says whose answers they are.
    """
    rows = [
        (row.number("confidence"), row.number("accuracy"), row.number("count") or 0.0)
        for row in calibration.records("bins")
    ]
    bins = [(at, right, many) for at, right, many in rows if at is not None and right is not None]
    error = calibration.number("expected_error")
    if not bins or error is None:
        return None
    x = AxisScale(0.0, 1.0, LEFT, WIDTH - RIGHT)
    y = AxisScale(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    total = sum(many for _, _, many in bins)
    points = [
        Point(x(at), y(right), _title(at, right, many), _radius(many / total), "bin")
        for at, right, many in bins
    ]
    return PointChart(
        title=f"Confidence of {of} against the share that is right, %",
        key=f"as sure as right; off by {percent(error, 1)} on average",
        x_title="confidence",
        ideal=(x(0), y(0), x(1), y(1)),
        band=None,
        points=points,
        summary=f"Reliability of {count(total)} answers: expected calibration error "
        f"{percent(error, 1)}.",
        x_ticks=x.ticks(6, 100),
        y_ticks=y.ticks(6, 100),
    )


def _radius(share: float) -> float:
    return round(max(SMALLEST, LARGEST * sqrt(share)), 1)


def _title(confidence: float, right: float, many: float) -> str:
    return (
        f"{count(many)} answers, {percent(confidence, 1)} sure on average: "
        f"{percent(right, 1)} are right"
    )
