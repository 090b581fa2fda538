"""What decides against latency of all candidates: where every mark of that chart goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.measure.choice import TOLERANCE
from allotrope.report.candidate_rows import CandidateRow, Candidates
from allotrope.report.formatting import count, milliseconds, shortened, size, times
from allotrope.report.judged import Judged
from allotrope.report.label_places import Box, Label, placed
from allotrope.report.scale import AxisScale, AxisTick, spanning
from allotrope.report.tips import Tip, tip

OUTLIER = 5
"""Points of the metric."""
LETTER = 7
"""Pixels that a letter of an axis takes at most, on average."""
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 42, 44
NARROW = 500
SHAPES = {
    "float32": "M-5.5 0A5.5 5.5 0 1 0 5.5 0A5.5 5.5 0 1 0 -5.5 0Z",
    "bfloat16": "M0 -7L7 0L0 7L-7 0Z",
    "float16": "M0 -7L7 0L0 7L-7 0Z",
    "int8": "M-5 -5H5V5H-5Z",
}
OTHER_SHAPE = "M0 -7L6.5 5H-6.5Z"
BELOW = "M0 7L6.5 -4H-6.5Z"


@dataclass(frozen=True)
class Mark:
    """A candidate in the chart; `whisker` is the place of its 90th percentile of latency."""

    x: float
    y: float
    shape: str
    colour: int
    passes: bool
    delivered: bool
    below: bool
    whisker: float | None
    tip: Tip


@dataclass(frozen=True)
class Scatter:
    """The whole chart in pixels.

    Better is up, whatever the metric. `floor` and `ceiling` are the target lines of metric and
    latency.
    """

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: list[AxisTick]
    y_ticks: list[AxisTick]
    y_title: str
    marks: list[Mark]
    labels: list[Label]
    floor: float | None
    floor_label: str
    ceiling: float | None
    ceiling_label: str
    colours: list[tuple[int, str]]
    shapes: list[tuple[str, str]]
    summary: str


def scatter(candidates: Candidates, width: int, height: int) -> Scatter | None:
    """The chart in width x height pixels.

    None where fewer than two candidates have both numbers.
    """
    drawn = [
        row for row in candidates.rows if row.latency is not None and row.validation is not None
    ]
    deciding = candidates.deciding
    if len(drawn) < 2:
        return None
    x = _latency_scale(drawn, candidates.max_latency, width)
    y = _metric_scale(drawn, deciding, candidates.limit, height)
    limit, most = candidates.limit, candidates.max_latency
    floor = ceiling = None
    if limit is not None and y.low <= limit <= y.high:
        floor = y(limit)
    if most is not None:
        ceiling = x(most)
    runtimes = list(dict.fromkeys(row.runtime for row in drawn))
    marks = [_mark(row, deciding, x, y, runtimes, width, height) for row in drawn]
    frame = Box(LEFT, TOP, width - RIGHT, height - BOTTOM)
    precisions = list(dict.fromkeys(row.record.text("precision") for row in drawn))
    return Scatter(
        width=width,
        height=height,
        left=LEFT,
        right=width - RIGHT,
        top=TOP,
        bottom=height - BOTTOM,
        x_ticks=x.ticks(max(3, width // 80)),
        y_ticks=y.ticks(6, deciding.factor),
        y_title=_y_title(deciding, width),
        marks=marks,
        labels=placed(
            [_label(row, width < NARROW) for row in drawn],
            [(mark.x, mark.y) for mark in marks],
            frame,
        ),
        floor=floor,
        floor_label=_floor_label(deciding, limit),
        ceiling=ceiling,
        ceiling_label=f"at most {milliseconds(most)}",
        colours=[(index % 7, shortened(name, 24)) for index, name in enumerate(runtimes)],
        shapes=[(SHAPES.get(name, OTHER_SHAPE), shortened(name, 24)) for name in precisions],
        summary=_summary(drawn, deciding),
    )


def _latency_scale(drawn: Sequence[CandidateRow], ceiling: float | None, width: int) -> AxisScale:
    values = [row.latency for row in drawn] + [row.latency_p90 for row in drawn] + [ceiling]
    shown = [value for value in values if value]
    return spanning(shown, LEFT, width - RIGHT, logarithmic=True, margin=0.09)


def _metric_scale(
    drawn: Sequence[CandidateRow], deciding: Judged, limit: float | None, height: int
) -> AxisScale:
    """Candidates far worse than the best do not stretch the scale, but what is allowed does.

    They are drawn at its lower edge. The better end is on top, so that every report reads alike.
    """
    metric = deciding.metric
    values = [row.validation for row in drawn if row.validation is not None]
    best, most = max(values, key=metric.rank), float(OUTLIER)
    if limit is not None:
        values.append(limit)
        most = max(most, metric.drop(best, limit))
    shown = [value for value in values if metric.drop(best, value) <= most + TOLERANCE]
    ends = (TOP, height - BOTTOM)
    if metric.higher_is_better:
        ends = ends[::-1]
    return spanning(shown, *ends, margin=0.16)


def _y_title(deciding: Judged, width: int) -> str:
    """What is on the axis, cut to what fits above the chart, and its sense if that is unusual."""
    sense = ", lowest on top"
    if deciding.metric.higher_is_better:
        sense = ""
    return shortened(f"validation {deciding.axis}", width // LETTER - len(sense)) + sense


def _floor_label(deciding: Judged, limit: float | None) -> str:
    end = "highest"
    if deciding.metric.higher_is_better:
        end = "lowest"
    return f"{end} {deciding.metric.title} allowed {deciding.number(limit)}"


def _mark(
    row: CandidateRow,
    deciding: Judged,
    x: AxisScale,
    y: AxisScale,
    runtimes: list[str],
    width: int,
    height: int,
) -> Mark:
    latency, value = row.latency or 0.0, row.validation or 0.0
    below = not y.low <= value <= y.high
    at_x, at_y = x(latency), y(value)
    shape = SHAPES.get(row.record.text("precision"), OTHER_SHAPE)
    if below:
        shape, at_y = BELOW, at_y - 9
    whisker = None
    if row.latency_p90 and row.latency_p90 > latency:
        whisker = x(row.latency_p90)
    return Mark(
        x=at_x,
        y=at_y,
        shape=shape,
        colour=runtimes.index(row.runtime) % 7,
        passes=row.passes,
        delivered=row.delivered,
        below=below,
        whisker=whisker,
        tip=tip(_tip_lines(row, deciding), at_x, at_y, width, height),
    )


def _label(row: CandidateRow, brief: bool) -> str:
    """The role of a candidate that has one, with its name where there is room.

    Colour and shape tell the others apart.
    """
    roles = (
        (row.delivered, "delivered"),
        (row.nearest_miss, "nearest miss"),
        (row.baseline, "baseline"),
    )
    role = next((name for holds, name in roles if holds), "")
    if role and not brief:
        return f"{shortened(row.name, 22)}, {role}"
    return role


def _tip_lines(row: CandidateRow, deciding: Judged) -> list[str]:
    change = f"{deciding.change(row.drop)} {deciding.points}"
    lines = [
        f"{shortened(row.name, 40)}: {row.verdict}",
        f"latency {milliseconds(row.latency)} (p90 {milliseconds(row.latency_p90)})",
        f"{deciding.metric.title} {deciding.text(row.validation)} ({change})",
        f"on test data {deciding.text(row.test)}",
    ]
    if row.throughput is not None:
        lines.append(f"throughput {count(row.throughput)} {deciding.nouns}/s")
    if row.size_bytes is not None:
        lines.append(f"size {size(row.size_bytes)}")
    if row.speed_up is not None:
        return [*lines, f"{times(row.speed_up)} the baseline's speed"]
    return lines


def _summary(drawn: Sequence[CandidateRow], deciding: Judged) -> str:
    listed = "; ".join(
        f"{row.name} {milliseconds(row.latency)}, {deciding.text(row.validation)}, {row.verdict}"
        for row in drawn
    )
    return f"Validation {deciding.title} against latency at batch 1, fastest first: {listed}."
