"""A classification on test data: confusion, frequent mistakes, figures a class, worst ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from allotrope.report.answers.explanations import explanations
from allotrope.report.answers.point_chart import PointChart
from allotrope.report.answers.reliability import reliability
from allotrope.report.answers.worst import worst_examples
from allotrope.report.confusion_matrix import confused_pairs, confusion_matrix, read_confusion
from allotrope.report.formatting import percent, significant
from allotrope.report.record import Record
from allotrope.report.run_folder import RunFolder


@dataclass(frozen=True)
class ClassRow:
    """Precision, recall and f1 of one class as fractions, and its number of test examples."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: float | None


def classification(account: Record, facts: Record, folder: RunFolder) -> dict[str, Any]:
    """What the template shows, each part empty if run.json lacks it."""
    classes = facts.texts("classes")
    names, counts = read_confusion(account, classes)

    def said(row: Record) -> tuple[str, str, str]:
        true, predicted = _class_name(row, "true", classes), _class_name(row, "predicted", classes)
        return true, predicted, f"{percent(row.number('confidence'), 1)} sure"

    return {
        "matrix": confusion_matrix(names, counts),
        "pairs": confused_pairs(names, counts),
        "class_rows": class_rows(account),
        "mistakes": worst_examples(account.records("mistakes"), folder, said),
        "saliency": explanations(account, folder, said),
        "operating_point": operating_point(account.record("operating_point")),
        "reliability": _reliability(account, facts, folder.record),
    }


def _reliability(account: Record, facts: Record, run: Record) -> PointChart | None:
    """Of the delivered file if it is about the task that decides, else of the trained network."""
    tasks = run.records("data", "tasks")
    delivered = run.record("delivered", "test_calibration")
    if delivered.fields and (not tasks or tasks[0].text("name") == facts.text("name")):
        return reliability(delivered, "the delivered file")
    return reliability(account.record("calibration"), "the network")


@dataclass(frozen=True)
class OperatingPoint:
    """Two classes told apart at one threshold: figures with their intervals, in words."""

    title: str
    figures: list[tuple[str, str]]


def operating_point(point: Record) -> OperatingPoint | None:
    """What `tasks.operating_point` found; None if there is nothing to show."""
    threshold = point.number("threshold")
    if threshold is None:
        return None
    title = f"Called {point.text('positive')} from a probability of {percent(threshold, 1)} on"
    figures = [
        ("sensitivity", _interval(point.record("sensitivity"), partial(percent, decimals=1))),
        ("specificity", _interval(point.record("specificity"), partial(percent, decimals=1))),
        ("area under the curve", _interval(point.record("auc"), significant)),
    ]
    return OperatingPoint(title, figures)


def _interval(figure: Record, text: Callable[[float | None], str]) -> str:
    value, low, high = (text(figure.number(key)) for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def class_rows(account: Record) -> list[ClassRow]:
    """Per-class figures, the worst f1 first."""
    numbers = ("precision", "recall", "f1", "support")
    rows = [
        ClassRow(row.text("class"), *(row.number(name) for name in numbers))
        for row in account.records("per_class")
    ]
    return sorted(rows, key=lambda row: (2.0 if row.f1 is None else row.f1, row.name))


def _class_name(row: Record, field: str, classes: list[str]) -> str:
    value = row.value(field)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(classes):
        return classes[value]
    return row.text(field) or "?"
