"""What the answers of the delivered file rest on: columns by how much they count, and curves."""

from __future__ import annotations

from dataclasses import dataclass

from allotrope.report.formatting import count, points, significant
from allotrope.report.judged import Judged, judged
from allotrope.report.record import Record, number_pairs
from allotrope.report.scale import AxisTick, spanning
from allotrope.wording import counted

WIDTH, HEIGHT = 372, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 14, 40
SHOWN = 20


@dataclass(frozen=True)
class Counting:
    """A column: by how much the metric worsens without it, its deviation, and a bar's share."""

    name: str
    worse: str
    deviation: str
    share: float
    matters: bool


@dataclass(frozen=True)
class Dependence:
    """The mean answer by the value of a column, as a line in pixels."""

    title: str
    x_title: str
    path: str
    summary: str
    x_ticks: list[AxisTick]
    y_ticks: list[AxisTick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class ColumnsCounting:
    """All that the section shows; `others` are columns beyond the first."""

    title: str
    note: str
    rows: list[Counting]
    others: list[Counting]
    curves: list[Dependence]


def columns_counting(run: Record) -> ColumnsCounting | None:
    """What `fit` asked of the delivered file; None if it asked nothing."""
    facts = run.record("importance")
    deciding = judged(run)[0]
    rows = _rows(facts, deciding)
    if not rows:
        return None
    curves = [_curve(each) for each in facts.records("curves")]
    return ColumnsCounting(
        f"Worsening of {deciding.title}{_unit(deciding)}",
        _note(facts, deciding),
        rows[:SHOWN],
        rows[SHOWN:],
        [curve for curve in curves if curve is not None],
    )


def _rows(facts: Record, deciding: Judged) -> list[Counting]:
    columns = facts.records("columns")
    most = max((column.number("worse") or 0.0 for column in columns), default=0.0) or 1.0
    rows = []
    for column in columns:
        worse, deviation = column.number("worse"), column.number("deviation")
        if worse is None:
            continue
        rows.append(
            Counting(
                column.text("name"),
                _amount(worse, deciding),
                _amount(deviation or 0.0, deciding),
                worse / most,
                worse > 2 * (deviation or 0.0),
            )
        )
    return rows


def _amount(value: float, deciding: Judged) -> str:
    if deciding.metric.percent:
        return points(value).lstrip("+")
    return significant(value, 3)


def _unit(deciding: Judged) -> str:
    if deciding.metric.percent:
        return ", points"
    unit = deciding.unit * deciding.metric.relative
    return f", {unit}" if unit else ""


def _note(facts: Record, deciding: Judged) -> str:
    rows, shuffles = facts.number("rows") or 0, facts.number("shuffles") or 0
    whole = deciding.text(facts.number("whole"))
    text = (
        f"The delivered file, asked again with one column shuffled among {count(rows)} "
        f"{facts.text('split')} rows, of which {deciding.title} is {whole} as they are: mean and "
        f"standard deviation of {counted(shuffles, 'shuffle')}. Columns that say the same hide "
        "each other: with one of them shuffled, the other still tells."
    )
    all_rows = facts.number("of_rows") or rows
    if all_rows > rows:
        text += f" So many of the {count(all_rows)} rows, to keep it short."
    left_out = facts.texts("left_out")
    if left_out:
        text += f" The time did not reach {counted(len(left_out), 'column')}."
    return text


def _curve(facts: Record) -> Dependence | None:
    line = number_pairs(facts.items("points"))
    if len(line) < 2:
        return None
    x = spanning([place for place, _ in line], LEFT, WIDTH - RIGHT)
    y = spanning([answer for _, answer in line], HEIGHT - BOTTOM, TOP)
    path = "M" + " L".join(f"{x(place)} {y(answer)}" for place, answer in line)
    name, answer = facts.text("name"), facts.text("answer")
    (first, low), (last, high) = line[0], line[-1]
    summary = (
        f"{answer} by {name}: {significant(low, 4)} at {significant(first, 4)}, "
        f"{significant(high, 4)} at {significant(last, 4)}."
    )
    return Dependence(answer, name, path, summary, x.ticks(6), y.ticks(6))
