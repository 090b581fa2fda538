"""A regression on test data: answers and errors against the truth, the examples furthest off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allotrope.report.answers.point_chart import PointChart
from allotrope.report.answers.residuals import answer_chart, error_chart
from allotrope.report.answers.worst import Worst, worst_examples
from allotrope.report.formatting import significant
from allotrope.report.record import Record, number_pairs
from allotrope.report.run_folder import RunFolder


@dataclass(frozen=True)
class Part:
    """One number that is answered: figures in words, two charts, the worst examples."""

    name: str
    figures: list[tuple[str, str]]
    charts: list[PointChart]
    worst: list[Worst]


def regression(account: Record, facts: Record, folder: RunFolder) -> dict[str, Any]:
    """What the template shows: a part for each number of an answer."""
    unit = facts.text("unit")
    several = account.record("parts")
    if several:
        accounts = {name: several.record(name) for name in several.fields}
    else:
        accounts = {"": account}
    parts = [_part(name, each, unit, folder) for name, each in accounts.items()]
    return {"parts": [part for part in parts if part.figures or part.charts]}


def _part(name: str, account: Record, unit: str, folder: RunFolder) -> Part:
    def said(row: Record) -> tuple[str, str, str]:
        error = row.number("error")
        sign = "" if error is None else "+" * (error > 0)
        return (
            _in_unit(row.number("true"), unit),
            _in_unit(row.number("predicted"), unit),
            f"{sign}{_in_unit(error, unit)}",
        )

    points = number_pairs(account.items("points"))
    charts = [answer_chart(points, unit), error_chart(points, account.number("rmse"), unit)]
    worst = worst_examples(account.records("worst"), folder, said)
    return Part(name, _figures(account, unit), [chart for chart in charts if chart], worst)


def _figures(account: Record, unit: str) -> list[tuple[str, str]]:
    numbers = [
        ("RMSE", _in_unit(account.number("rmse"), unit), account.number("rmse")),
        ("mean absolute error", _in_unit(account.number("mae"), unit), account.number("mae")),
        ("R²", significant(account.number("r2"), 4), account.number("r2")),
    ]
    quantiles = account.record("quantiles")
    for key, words in (("p50", "half"), ("p90", "9 of 10"), ("p99", "99 of 100")):
        value = quantiles.number(key)
        numbers.append((f"{words} of the answers are off by at most", _in_unit(value, unit), value))
    guess = account.number("guess")
    numbers.append(("RMSE of answering the training mean always", _in_unit(guess, unit), guess))
    return [(name, text) for name, text, value in numbers if value is not None]


def _in_unit(value: float | None, unit: str) -> str:
    return f"{significant(value, 4)} {unit}".rstrip()
