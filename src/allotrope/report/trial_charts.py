"""Charts of trials: the metric from trial to trial, and against what each takes, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.report.formatting import milliseconds, shortened
from allotrope.report.judged import Judged
from allotrope.report.label_places import Box, Label, placed
from allotrope.report.scale import AxisScale, AxisTick, spanning
from allotrope.report.tips import Tip, tip

LEFT, RIGHT, TOP, BOTTOM = 56, 14, 42, 44
OUTLIER = 20.0
"""Points of the metric: trials that are worse by more than this stand at the lower edge."""


@dataclass(frozen=True)
class ShownTrial:
    """What is drawn of a trial; without a `value` it was never trained."""

    name: str
    number: int
    rung: int
    value: float | None
    latency: float | None
    feasible: bool
    chosen: bool
    lines: tuple[str, ...]


@dataclass(frozen=True)
class TrialMark:
    """A trial in a chart; `colour` tells rungs apart."""

    x: float
    y: float
    colour: int
    hollow: bool
    chosen: bool
    tip: Tip


@dataclass(frozen=True)
class TrialChart:
    """A chart in pixels; `line` is the best so far, or the front; `box` what is within limits."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: list[AxisTick]
    y_ticks: list[AxisTick]
    x_title: str
    y_title: str
    line: str
    marks: list[TrialMark]
    labels: list[Label]
    box: Box | None
    summary: str


def history_chart(
    trials: Sequence[ShownTrial], deciding: Judged, width: int, height: int
) -> TrialChart | None:
    """The metric from trial to trial, with the best so far as a line."""
    drawn = [trial for trial in trials if trial.value is not None]
    if len(drawn) < 2:
        return None
    last = float(max(trial.number for trial in drawn))
    x = AxisScale(-0.5, last + 0.5, LEFT, width - RIGHT)
    y = _metric_scale(drawn, deciding, height)
    places = [(x(trial.number), y(trial.value or 0.0)) for trial in drawn]
    steps, best = [], None
    for trial, place in zip(drawn, places, strict=True):
        value = trial.value or 0.0
        if best is None or deciding.metric.better(value, best):
            best = value
            steps.append(place)
    line = _stairs(steps, x(last))
    ticks = _whole(x, int(last), width)
    summary = f"Validation {deciding.title} from trial to trial, {len(drawn)} trained."
    return _chart(drawn, places, deciding, (width, height), ticks, y, "trial", line, None, summary)


def front_chart(
    trials: Sequence[ShownTrial],
    deciding: Judged,
    ceiling: float | None,
    width: int,
    height: int,
) -> TrialChart | None:
    """The metric against latency, with the front as a line and what is within the limit marked.

    What was not trained because it is beyond a limit stands hollow at the lower edge.
    """
    drawn = [trial for trial in trials if trial.latency]
    trained = [trial for trial in drawn if trial.value is not None]
    if len(trained) < 2:
        return None
    latencies = [trial.latency or 0.0 for trial in drawn] + ([ceiling] if ceiling else [])
    x = spanning(latencies, LEFT, width - RIGHT, logarithmic=True, margin=0.12)
    y = _metric_scale(trained, deciding, height)
    # They have no value, and their latency is what there is to see.
    low = float(height - BOTTOM - 8)
    places = [
        (x(trial.latency or 0.0), low if trial.value is None else y(trial.value)) for trial in drawn
    ]
    front = _front(trained, deciding)
    corners = [(x(trial.latency or 0.0), y(trial.value or 0.0)) for trial in front]
    line = _stairs(corners, float(width - RIGHT))
    box = Box(LEFT, TOP, x(ceiling), height - BOTTOM) if ceiling else None
    listed = "; ".join(
        f"{one.name} {milliseconds(one.latency)}, {deciding.text(one.value)}" for one in front
    )
    title = f"latency of one {deciding.noun}, untrained, ms (log scale)"
    summary = f"Validation {deciding.title} against latency; the front: {listed}."
    ticks = x.ticks(max(3, width // 80))
    return _chart(drawn, places, deciding, (width, height), ticks, y, title, line, box, summary)


def _front(trained: Sequence[ShownTrial], deciding: Judged) -> list[ShownTrial]:
    """Those than which none is both faster and better, the fastest first."""
    front: list[ShownTrial] = []
    order = sorted(
        trained, key=lambda one: (one.latency or 0.0, -deciding.metric.rank(one.value or 0.0))
    )
    for one in order:
        if not front or deciding.metric.better(one.value or 0.0, front[-1].value or 0.0):
            front.append(one)
    return front


def _metric_scale(drawn: Sequence[ShownTrial], deciding: Judged, height: int) -> AxisScale:
    """The better end is on top, and what is far worse does not stretch the scale."""
    metric = deciding.metric
    values = [trial.value for trial in drawn if trial.value is not None]
    best = max(values, key=metric.rank)
    shown = [value for value in values if metric.drop(best, value) <= OUTLIER]
    ends = (float(TOP), float(height - BOTTOM))
    if metric.higher_is_better:
        ends = ends[::-1]
    return spanning(shown, *ends, margin=0.1)


def _stairs(corners: Sequence[tuple[float, float]], end: float) -> str:
    """A line that holds the last height until the next corner."""
    if not corners:
        return ""
    (first, height), *others = corners
    path = f"M{first:g} {height:g}"
    for across, down in others:
        path += f"H{across:g}V{down:g}"
    return f"{path}H{end:g}"


def _whole(x: AxisScale, last: int, width: int) -> list[AxisTick]:
    """Ticks at whole trials."""
    step = max(1, -(-(last + 1) // max(3, width // 60)))
    return [AxisTick(x(number), str(number)) for number in range(0, last + 1, step)]


def _chart(
    drawn: Sequence[ShownTrial],
    places: Sequence[tuple[float, float]],
    deciding: Judged,
    size: tuple[int, int],
    x_ticks: list[AxisTick],
    y: AxisScale,
    x_title: str,
    line: str,
    box: Box | None,
    summary: str,
) -> TrialChart:
    width, height = size
    marks = [
        TrialMark(*place, trial.rung, not trial.feasible, trial.chosen, _tip(trial, place, size))
        for trial, place in zip(drawn, places, strict=True)
    ]
    named = [trial.name if trial.chosen or trial.number == 0 else "" for trial in drawn]
    frame = Box(LEFT, TOP, width - RIGHT, height - BOTTOM)
    return TrialChart(
        width,
        height,
        LEFT,
        width - RIGHT,
        TOP,
        height - BOTTOM,
        x_ticks,
        y.ticks(6, deciding.factor),
        x_title,
        shortened(f"validation {deciding.axis}", width // 8),
        line,
        marks,
        placed(named, places, frame),
        box,
        summary,
    )


def _tip(trial: ShownTrial, place: tuple[float, float], size: tuple[int, int]) -> Tip:
    return tip(list(trial.lines), *place, *size)
