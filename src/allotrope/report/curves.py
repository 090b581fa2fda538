"""Learning curves: loss, metrics and learning rate over the epochs, as small line charts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allotrope.report.formatting import duration, significant
from allotrope.report.judged import Judged
from allotrope.report.scale import AxisScale, AxisTick, spanning
from allotrope.report.tips import Tip, tip
from allotrope.wording import counted

WIDTH, HEIGHT = 372, 236
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 14, 34
MOST_ROWS = 240


@dataclass(frozen=True)
class Line:
    """One curve: `path` joins its points, `last` is where it ends."""

    name: str
    kind: str
    path: str
    last: tuple[float, float]


@dataclass(frozen=True)
class Band:
    """The part of the chart that belongs to one epoch: pointing at it shows the epoch's numbers."""

    x: float
    width: float
    place: float
    dots: list[tuple[str, float]]
    tip: Tip


@dataclass(frozen=True)
class Curves:
    """One line chart in pixels; `best` is the place of what is `marked`."""

    title: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: list[AxisTick]
    y_ticks: list[AxisTick]
    lines: list[Line]
    bands: list[Band]
    best: float | None
    summary: str
    marked: str = "best epoch"


@dataclass(frozen=True)
class Series:
    """A column of the history that becomes a curve; `kind` is the name of its colour."""

    name: str
    kind: str
    column: str


@dataclass(frozen=True)
class Subject:
    """What one chart shows.

    Its axis is in units of 1/factor, its numbers are written by `write`.
    """

    title: str
    series: tuple[Series, ...]
    write: Callable[[float | None], str] = significant
    factor: float = 1.0
    may_be_logarithmic: bool = False


LOSS = Subject(
    "Loss",
    (Series("training", "train", "loss"), Series("validation", "valid", "validation_loss")),
    may_be_logarithmic=True,
)
RATE = Subject("Learning rate", (Series("learning rate", "rate", "learning_rate"),))


def learning_curves(
    history: Sequence[dict[str, float]], best_epoch: float | None, tasks: Sequence[Judged]
) -> list[Curves]:
    """The charts for which `history` has at least two epochs: loss, each task, learning rate."""
    rows = thinned(history)
    subjects = (LOSS, *map(_subject, tasks), RATE)
    charts = (_chart(subject, rows, best_epoch) for subject in subjects)
    return [chart for chart in charts if chart is not None]


def _subject(task: Judged) -> Subject:
    series = (
        Series("training", "train", f"train_{task.column}"),
        Series("validation", "valid", f"validation_{task.column}"),
    )
    title = task.axis[:1].upper() + task.axis[1:]
    return Subject(title, series, task.text, task.factor)


def thinned(history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """At most MOST_ROWS rows, evenly taken, the last one always among them."""
    step = -(-len(history) // MOST_ROWS) or 1
    return list(history[::-1][::step][::-1])


def _chart(
    subject: Subject, history: Sequence[dict[str, float]], best_epoch: float | None
) -> Curves | None:
    columns = [series.column for series in subject.series]
    rows = [row for row in history if any(column in row for column in columns)]
    epochs = [row["epoch"] for row in rows]
    if len(set(epochs)) < 2:
        return None
    values = [row[column] for row in rows for column in columns if column in row]
    x = AxisScale(min(epochs), max(epochs), LEFT, WIDTH - RIGHT)
    logarithmic = subject.may_be_logarithmic and 0 < 20 * min(values) < max(values)
    y = spanning(values, HEIGHT - BOTTOM, TOP, logarithmic=logarithmic)
    title = subject.title
    if logarithmic:
        title += " (log scale)"
    best = None
    if best_epoch is not None and x.low <= best_epoch <= x.high:
        best = x(best_epoch)
    lines = [_line(series, rows, x, y) for series in subject.series]
    return Curves(
        title=title,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        x_ticks=x.ticks(6),
        y_ticks=y.ticks(5, subject.factor),
        lines=[line for line in lines if line is not None],
        bands=_bands(rows, subject, x, y),
        best=best,
        summary=(
            f"{subject.title} over {counted(epochs[-1], 'epoch')}; "
            f"{_written(rows[-1], subject)} at the end."
        ),
    )


def _line(
    series: Series, rows: Sequence[dict[str, float]], x: AxisScale, y: AxisScale
) -> Line | None:
    places = [(x(row["epoch"]), y(row[series.column])) for row in rows if series.column in row]
    if not places:
        return None
    return Line(
        series.name,
        series.kind,
        "M" + "L".join(f"{across:g} {down:g}" for across, down in places),
        places[-1],
    )


def _bands(
    rows: Sequence[dict[str, float]], subject: Subject, x: AxisScale, y: AxisScale
) -> list[Band]:
    places = [x(row["epoch"]) for row in rows]
    # Each epoch has the pointer from half-way after the last to half-way before the next.
    borders = [x.start, *((one + other) / 2 for one, other in itertools.pairwise(places)), x.end]
    bands = []
    for row, place, (start, end) in zip(rows, places, itertools.pairwise(borders), strict=True):
        first = f"epoch {row['epoch']:g}"
        if "seconds" in row:
            first += f", {duration(row['seconds'])}"
        lines = [first, *_written(row, subject).split(", ")]
        dots = [
            (series.kind, y(row[series.column]))
            for series in subject.series
            if series.column in row
        ]
        bands.append(
            Band(
                round(start, 1),
                round(max(end - start, 0.1), 1),
                place,
                dots,
                tip(lines, place, TOP + 30, WIDTH, HEIGHT),
            )
        )
    return bands


def _written(row: dict[str, float], subject: Subject) -> str:
    return ", ".join(
        f"{series.name} {subject.write(row[series.column])}"
        for series in subject.series
        if series.column in row
    )
