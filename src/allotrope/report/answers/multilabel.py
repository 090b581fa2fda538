"""A multilabel task on test data: figures a label, and the examples with the most wrong flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allotrope.report.answers.worst import worst_examples
from allotrope.report.formatting import percent, significant
from allotrope.report.record import Record, finite
from allotrope.report.run_folder import RunFolder

MOST_WRONG = 3


@dataclass(frozen=True)
class LabelRow:
    """Figures of one label; `support` is the number of test examples that have it."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    auc: float | None
    threshold: float | None
    support: float | None


def multilabel(account: Record, facts: Record, folder: RunFolder) -> dict[str, Any]:
    """What the template shows, each part empty if run.json lacks it."""
    labels = facts.texts("labels")
    thresholds = [row.number("threshold") for row in account.records("per_label")]

    def said(row: Record) -> tuple[str, str, str]:
        probabilities = [finite(value) for value in row.items("probabilities")]
        true = set(row.texts("true"))
        predicted = _given(labels, probabilities, thresholds)
        wrong = _wrong(labels, probabilities, true)
        return ", ".join(row.texts("true")) or "none", ", ".join(predicted) or "none", wrong

    return {
        "scores": _scores(account),
        "label_rows": _label_rows(account),
        "worst": worst_examples(account.records("worst"), folder, said),
    }


def _scores(account: Record) -> list[tuple[str, str]]:
    figures = [
        ("macro F1", percent(account.number("macro_f1"))),
        ("micro F1", percent(account.number("micro_f1"))),
        ("macro AUC", significant(account.number("macro_auc"), 4)),
    ]
    names = ("macro_f1", "micro_f1", "macro_auc")
    there = [account.number(name) is not None for name in names]
    return [figure for figure, present in zip(figures, there, strict=True) if present]


def _label_rows(account: Record) -> list[LabelRow]:
    """The weakest f1 first."""
    numbers = ("precision", "recall", "f1", "auc", "threshold", "support")
    rows = [
        LabelRow(row.text("label"), *(row.number(name) for name in numbers))
        for row in account.records("per_label")
    ]
    return sorted(rows, key=lambda row: (2.0 if row.f1 is None else row.f1, row.name))


def _given(
    labels: list[str], probabilities: list[float | None], thresholds: list[float | None]
) -> list[str]:
    """The labels whose probability reaches their threshold."""
    rows = zip(labels, probabilities, thresholds, strict=False)
    return [
        name
        for name, probability, threshold in rows
        if probability is not None and threshold is not None and probability >= threshold
    ]


def _wrong(labels: list[str], probabilities: list[float | None], true: set[str]) -> str:
    """The flags that are furthest off, with their probabilities."""
    off = [
        (abs(probability - (name in true)), name, probability)
        for name, probability in zip(labels, probabilities, strict=False)
        if probability is not None
    ]
    worst = sorted(off, reverse=True)[:MOST_WRONG]
    return ", ".join(
        f"{name} {percent(probability, 0)}" for far, name, probability in worst if far > 0.5
    )
