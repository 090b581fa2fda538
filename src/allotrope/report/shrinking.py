"""How a network was shrunk: its way from round to round, its layers, and what could not be cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.report.formatting import milliseconds, shortened, size
from allotrope.report.judged import Judged, figure, judged
from allotrope.report.label_places import Box, Label, placed
from allotrope.report.layers_timed import LayersTimed, layers_timed
from allotrope.report.record import Record
from allotrope.report.scale import AxisTick, spanning
from allotrope.report.tips import Tip, tip
from allotrope.wording import counted

LEFT, RIGHT, TOP, BOTTOM = 56, 14, 42, 44
NAMES = 3
"""So many weights are named that a reason froze."""


@dataclass(frozen=True)
class PathPoint:
    """The network at one time: as it came, after a round, as it is delivered."""

    name: str
    latency: float
    value: float
    size_bytes: float
    passes: bool
    chosen: bool


@dataclass(frozen=True)
class PathMark:
    """Where a point stands in the chart, in pixels."""

    x: float
    y: float
    passes: bool
    chosen: bool
    tip: Tip


@dataclass(frozen=True)
class PathChart:
    """The way of the network in pixels: better is up, faster is left. `box` is the target's."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: list[AxisTick]
    y_ticks: list[AxisTick]
    y_title: str
    line: str
    marks: list[PathMark]
    labels: list[Label]
    box: Box
    summary: str


@dataclass(frozen=True)
class LayerRow:
    """A weight of several axes before and after."""

    name: str
    before: str
    after: str
    share: float


@dataclass(frozen=True)
class FrozenRow:
    """Why places of weights stay, how many, and of which."""

    reason: str
    places: int
    names: str


@dataclass(frozen=True)
class RoundRow:
    """What a round did and came to."""

    number: int
    record: Record
    share: float | None
    latency: float | None
    size_bytes: float | None
    value: float | None
    passes: bool
    reason: str


@dataclass(frozen=True)
class Shrinking:
    """The whole section."""

    note: str
    charts: list[PathChart]
    rounds: list[RoundRow]
    narrower: list[LayerRow]
    others: list[LayerRow]
    frozen: list[FrozenRow]
    deciding: Judged
    timed: LayersTimed | None


def shrinking(run: Record, sizes: Sequence[tuple[int, int]]) -> Shrinking | None:
    """The section, with a chart of each of these sizes; None of a run that was not shrunk."""
    if run.text("kind") != "shrink" or not run.record("before"):
        return None
    deciding = judged(run)[0]
    points = _points(run)
    layers = [_layer(each) for each in run.records("shrunk", "layers")]
    return Shrinking(
        _note(run, points, deciding),
        [_chart(run, deciding, points, *each) for each in sizes] if len(points) > 1 else [],
        _rounds(run),
        [row for row in layers if row.share < 1],
        [row for row in layers if row.share >= 1],
        [_frozen(each) for each in run.records("shrunk", "frozen")],
        deciding,
        layers_timed(run),
    )


def _points(run: Record) -> list[PathPoint]:
    """The way in its order, as far as both numbers are known."""
    chosen = run.number("shrunk", "round")
    rows = [("before", run.record("before", "today"), False, chosen == 0)]
    for each in run.records("rounds"):
        best = next(iter(each.records("rows")), Record())
        number = each.number("number")
        title = f"round {each.text('number')}"
        rows.append((title, best, best.flag("passes"), number == chosen))
    points = []
    for name, row, passes, is_chosen in rows:
        latency = row.number("latency_ms", "median")
        value, count = figure(row, "validation_metric"), row.number("size_bytes")
        if latency and value is not None and count:
            points.append(PathPoint(name, latency, value, count, passes, is_chosen))
    return points


def _note(run: Record, points: Sequence[PathPoint], deciding: Judged) -> str:
    """From where to where, in a sentence or two."""
    last = next((point for point in points if point.chosen), None)
    rounds = counted(len(run.records("rounds")), "round", str)
    if last is None or len(points) < 2:
        return f"After {rounds} nothing was measured that could be compared."
    first = points[0]
    return (
        f"{rounds.capitalize()}: from {milliseconds(first.latency)} and {size(first.size_bytes)} "
        f"to {milliseconds(last.latency)} and {size(last.size_bytes)}; validation "
        f"{deciding.metric.title} from {deciding.text(first.value)} to "
        f"{deciding.text(last.value)}. In each, what matters least for what it costs was cut out, "
        "and the rest learned from the labels and from what the network before answers."
    )


def _chart(
    run: Record, deciding: Judged, points: Sequence[PathPoint], width: int, height: int
) -> PathChart:
    frame = Box(LEFT, TOP, width - RIGHT, height - BOTTOM)
    floor, ceiling = _limit(run, deciding), run.number("target", "max_latency")
    latencies = [point.latency for point in points] + ([ceiling] if ceiling else [])
    values = [point.value for point in points] + ([floor] if floor is not None else [])
    x = spanning(latencies, frame.left, frame.right, logarithmic=True, margin=0.12)
    ends = (frame.top, frame.bottom)
    if deciding.metric.higher_is_better:
        ends = ends[::-1]
    y = spanning(values, *ends, margin=0.16)
    places = [(x(point.latency), y(point.value)) for point in points]
    marks = [
        PathMark(*place, point.passes, point.chosen, _tip(point, deciding, place, width, height))
        for point, place in zip(points, places, strict=True)
    ]
    box = Box(
        frame.left,
        frame.top,
        frame.right if not ceiling else x(ceiling),
        frame.bottom if floor is None else y(floor),
    )
    return PathChart(
        width,
        height,
        LEFT,
        width - RIGHT,
        TOP,
        height - BOTTOM,
        x.ticks(max(3, width // 80)),
        y.ticks(6, deciding.factor),
        shortened(f"validation {deciding.axis}", width // 8),
        "M" + "L".join(f"{across} {down}" for across, down in places),
        marks,
        placed([point.name for point in points], places, frame),
        box,
        _summary(points, deciding),
    )


def _limit(run: Record, deciding: Judged) -> float | None:
    """The worst that the metric may be."""
    drop = run.number("target", "max_drop")
    rows = [row for row in run.records("before", "rows") if row.flag("reference")]
    reference = next((figure(row, "validation_metric") for row in rows), None)
    if drop is None or reference is None:
        return None
    return deciding.metric.limit(reference, drop)


def _tip(
    point: PathPoint, deciding: Judged, place: tuple[float, float], width: int, height: int
) -> Tip:
    lines = [
        f"{point.name}{', delivered' * (point.chosen and point.passes)}",
        f"latency {milliseconds(point.latency)}, {size(point.size_bytes)}",
        f"validation {deciding.metric.title} {deciding.text(point.value)}",
    ]
    return tip(lines, *place, width, height)


def _summary(points: Sequence[PathPoint], deciding: Judged) -> str:
    listed = "; ".join(
        f"{point.name} {milliseconds(point.latency)}, {deciding.text(point.value)}"
        for point in points
    )
    return f"Validation {deciding.title} against latency, from round to round: {listed}."


def _rounds(run: Record) -> list[RoundRow]:
    whole = run.number("before", "whole", "weights")
    rows = []
    for each in run.records("rounds"):
        best = next(iter(each.records("rows")), Record())
        weights = each.number("cut", "weights")
        rows.append(
            RoundRow(
                int(each.number("number") or 0),
                each,
                weights / whole if weights is not None and whole else None,
                best.number("latency_ms", "median"),
                best.number("size_bytes"),
                figure(best, "validation_metric"),
                best.flag("passes"),
                best.text("reason"),
            )
        )
    return rows


def _layer(row: Record) -> LayerRow:
    before, after = row.items("before"), row.items("after")
    share = _product(after) / max(_product(before), 1) if after else 0.0
    return LayerRow(row.text("name"), _shape(before), _shape(after) or "gone", share)


def _product(lengths: Sequence[int]) -> int:
    product = 1
    for length in lengths:
        product *= length
    return product


def _shape(lengths: Sequence[int]) -> str:
    return " × ".join(map(str, lengths))


def _frozen(row: Record) -> FrozenRow:
    names = row.texts("weights")
    shown = ", ".join(dict.fromkeys(names[:NAMES]))
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return FrozenRow(row.text("reason"), int(row.number("places") or 0), f"{shown}{more}")
