"""How unlabelled examples were learned from: stages, the verdict, how right pseudo-labels are."""

from __future__ import annotations

from dataclasses import dataclass

from allotrope.report.formatting import MISSING, percent
from allotrope.report.judged import Judged, figure, judged
from allotrope.report.record import Record
from allotrope.run_words import inside


@dataclass(frozen=True)
class StageRow:
    """One stage: how long it learned, from how many examples, what it is worth."""

    title: str
    record: Record
    unlabelled: float | None
    validation: str
    loss: float | None
    chosen: bool


@dataclass(frozen=True)
class CalledRow:
    """Pseudo-labels of one class, by held-out labels: [right of those that have it]."""

    record: Record
    recall: str
    precision: str


@dataclass(frozen=True)
class UnlabelledUsed:
    """The whole section."""

    note: str
    verdict: str
    stages: list[StageRow]
    classes: list[CalledRow]
    deciding: Judged


def unlabelled_used(run: Record) -> UnlabelledUsed | None:
    """The section; None of a run without unlabelled examples, or that did not come so far."""
    facts, deciding = run.record("few_labels"), judged(run)[0]
    if not facts.text("verdict"):
        return None
    counts = [facts.number(name) for name in ("labels", "held_out", "unlabelled")]
    labels, held_out, unlabelled = (f"{count or 0:,.0f}" for count in counts)
    note = (
        f"{facts.text('reason')}. Learned from {labels} labels and {unlabelled} unlabelled "
        f"examples; every choice rests on {held_out} held-out labels."
    )
    return UnlabelledUsed(
        note,
        facts.text("verdict"),
        _stages(run, facts, deciding),
        [_of_class(row) for row in facts.records("pseudo_labels")],
        deciding,
    )


def _stages(run: Record, facts: Record, deciding: Judged) -> list[StageRow]:
    trained, rows = run.records("stages"), []
    for number, row in enumerate(facts.records("stages"), 1):
        record = Record(inside(trained[number - 1].fields)) if number <= len(trained) else Record()
        rows.append(
            StageRow(
                "labels alone" if number == 1 else f"{facts.text('method')} {number - 1}",
                record,
                record.number("start", "details", "unlabelled"),
                deciding.number(figure(row, "validation_metric")),
                row.number("validation_loss"),
                facts.number("chosen") == number,
            )
        )
    return rows


def _of_class(row: Record) -> CalledRow:
    right = row.number("right") or 0.0
    return CalledRow(
        row, _share(right, row.number("held_out")), _share(right, row.number("called"))
    )


def _share(right: float, whole: float | None) -> str:
    if not whole:
        return MISSING
    return f"{percent(right / whole, 0)} ({right:,.0f} of {whole:,.0f})"
