"""The metric over time of every training of a race, as one line chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.report.curves import thinned
from allotrope.report.formatting import duration, runtime_name
from allotrope.report.judged import Judged
from allotrope.report.record import Record, finite
from allotrope.report.scale import AxisScale, AxisTick, spanning
from allotrope.report.tips import Tip, tip

LEFT, RIGHT, TOP, BOTTOM = 46, 14, 26, 40


@dataclass(frozen=True)
class Course:
    """One training: its line, where it ends, and where it reaches the goal."""

    colour: int
    path: str
    end: tuple[float, float]
    reached: tuple[float, float] | None
    tip: Tip


@dataclass(frozen=True)
class Courses:
    """The whole chart in pixels; `goal` is the height of the metric to be reached."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: list[AxisTick]
    y_ticks: list[AxisTick]
    courses: list[Course]
    colours: list[tuple[int, str]]
    goal: float | None
    goal_label: str
    y_title: str
    summary: str


@dataclass(frozen=True)
class _TrainingCourse:
    framework: str
    seed: str
    points: list[tuple[float, float]]


def courses(run: Record, deciding: Judged, width: int, height: int) -> Courses | None:
    """The chart in width x height pixels; None where nothing was trained.

    `run` has the inner keys of `run_words`.
    """
    trainings = _trainings(run)
    if not trainings:
        return None
    goal = run.number("metric_goal")
    names = list(dict.fromkeys(training.framework for training in trainings))
    x = AxisScale(
        0.0,
        1.03 * max(seconds for training in trainings for seconds, _ in training.points) or 1.0,
        LEFT,
        width - RIGHT,
    )
    values = [value for training in trainings for _, value in training.points]
    if goal is not None:
        values.append(goal)
    ends = (TOP, height - BOTTOM)
    if deciding.metric.higher_is_better:
        ends = ends[::-1]  # the better end is on top, as in every chart
    y = spanning(values, *ends)
    line, goal_label = None, ""
    if goal is not None:
        line, goal_label = y(goal), f"goal {deciding.text(goal)}"
    return Courses(
        width=width,
        height=height,
        left=LEFT,
        right=width - RIGHT,
        top=TOP,
        bottom=height - BOTTOM,
        x_ticks=x.ticks(max(3, width // 90)),
        y_ticks=_heights(y, deciding),
        courses=[
            _course(
                training, names.index(training.framework) % 7, goal, deciding, x, y, width, height
            )
            for training in trainings
        ],
        colours=[(index % 7, name) for index, name in enumerate(names)],
        goal=line,
        goal_label=goal_label,
        y_title=_y_title(deciding),
        summary=_summary(trainings, deciding),
    )


def _y_title(deciding: Judged) -> str:
    """What is on the axis, and its sense if that is unusual."""
    if deciding.metric.higher_is_better:
        return f"validation {deciding.axis}"
    return f"validation {deciding.axis}, lowest on top"


def _heights(y: AxisScale, deciding: Judged) -> list[AxisTick]:
    """Ticks in per cent, if the metric is; no more than all."""
    if not deciding.metric.percent:
        return y.ticks(6)
    return [tick for tick in y.ticks(6, 100) if float(tick.label) <= 100]


def _trainings(run: Record) -> list[_TrainingCourse]:
    """Those with at least one validation; seconds from the import of the framework on."""
    trainings = []
    for row in run.records("frameworks"):
        for training in row.records("trainings"):
            imported = training.number("import_seconds") or 0.0
            history = [_numbers(one) for one in training.records("history")]
            points = [
                (imported + one["seconds"], one["validation_metric"])
                for one in thinned([one for one in history if len(one) == 2])
            ]
            if points:
                name = runtime_name(row.text("framework"))
                trainings.append(_TrainingCourse(name, training.text("seed"), points))
    return trainings


def _numbers(row: Record) -> dict[str, float]:
    numbers = {name: finite(row.value(name)) for name in ("seconds", "validation_metric")}
    return {name: number for name, number in numbers.items() if number is not None}


def _course(
    training: _TrainingCourse,
    colour: int,
    goal: float | None,
    deciding: Judged,
    x: AxisScale,
    y: AxisScale,
    width: int,
    height: int,
) -> Course:
    places = [(x(seconds), y(value)) for seconds, value in training.points]
    lines = [f"{training.framework}, seed {training.seed}", _ended(training, deciding)]
    at_goal = None
    for place, (seconds, value) in zip(places, training.points, strict=True):
        if goal is not None and not deciding.metric.better(goal, value):
            at_goal = place
            lines.append(f"goal reached after {duration(seconds)}")
            break
    path = "M" + "L".join(f"{across} {down}" for across, down in places)
    return Course(
        colour,
        path,
        places[-1],
        at_goal,
        tip(lines, *places[-1], width, height),
    )


def _ended(training: _TrainingCourse, deciding: Judged) -> str:
    seconds, value = training.points[-1]
    return f"{deciding.text(value)} after {duration(seconds)}"


def _summary(trainings: Sequence[_TrainingCourse], deciding: Judged) -> str:
    listed = "; ".join(
        f"{training.framework} seed {training.seed} {_ended(training, deciding)}"
        for training in trainings
    )
    return f"Validation {deciding.title} over time of each training: {listed}."
