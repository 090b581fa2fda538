"""The members of an ensemble, what they are together, and by how much that is better."""

from __future__ import annotations

from dataclasses import dataclass

from allotrope.measure.choice import ALONE, CALLED
from allotrope.report.formatting import MISSING, capitalized, points
from allotrope.report.judged import Judged, figure, judged
from allotrope.report.record import Record
from allotrope.wording import counted


@dataclass(frozen=True)
class MemberRow:
    """One member: how it learned, what it is worth, and what it counts."""

    number: int
    record: Record
    validation: str
    test: str
    share: float
    alone: bool


@dataclass(frozen=True)
class GainRow:
    """A form of several answers, and by how much it is better than one."""

    name: str
    validation: str
    test: str
    over_mean: str
    mean_interval: str
    over_best: str
    best_interval: str
    sure: bool


@dataclass(frozen=True)
class WayRow:
    """A way to combine, on validation examples that it was not fitted to."""

    name: str
    value: str
    gain: str
    interval: str
    chosen: bool


@dataclass(frozen=True)
class MembersUnited:
    """The whole section."""

    note: str
    members: list[MemberRow]
    gains: list[GainRow]
    ways: list[WayRow]
    deciding: Judged


def members_united(run: Record) -> MembersUnited | None:
    """The section; None of a run without an ensemble."""
    facts, deciding = run.record("ensemble"), judged(run)[0]
    if not facts:
        return None
    members = _members(run, facts, deciding)
    return MembersUnited(
        _note(run, facts, members, deciding),
        members,
        [_gain(row, deciding) for row in facts.records("forms")],
        [_way(row, deciding) for row in facts.records("tried")],
        deciding,
    )


def _members(run: Record, facts: Record, deciding: Judged) -> list[MemberRow]:
    shares = facts.items("shares", facts.text("task"))
    rows = []
    for place, row in enumerate(facts.records("members")):
        share = shares[place] if place < len(shares) else 0.0
        learned = run.records("members")[place] if place < len(run.records("members")) else Record()
        rows.append(
            MemberRow(
                place + 1,
                learned,
                deciding.number(figure(row, "validation_metric")),
                deciding.number(figure(row, "test_metric")),
                share if isinstance(share, float | int) else 0.0,
                facts.number("best") == place + 1,
            )
        )
    return rows


def _note(run: Record, facts: Record, members: list[MemberRow], deciding: Judged) -> str:
    kind = run.text("arguments", "ensemble_of") or "seeds"
    learned = counted(len(members), "network", str).capitalize()
    if len(members) == 1:
        return f"{learned}, asked about an example and about its mirror image at once."
    way = facts.text("way")
    return (
        f"{learned} ({kind}), trained one after the other, answer by the mean of their answers; "
        f"what each counts was chosen on validation data by {way}. Gains are in points of test "
        f"{deciding.title}, with the middle 95 % of resamples that draw the same examples for all."
    )


def _gain(row: Record, deciding: Judged) -> GainRow:
    mean, best = row.record("over_mean"), row.record("over_best")
    return GainRow(
        capitalized((CALLED | ALONE).get(row.text("form"), row.text("form"))),
        deciding.number(figure(row, "validation_metric")),
        deciding.number(figure(row, "test_metric")),
        _points(mean, "points"),
        _interval(mean),
        _points(best, "points"),
        _interval(best),
        (mean.number("low") or 0.0) > 0,
    )


def _way(row: Record, deciding: Judged) -> WayRow:
    return WayRow(
        row.text("way"),
        deciding.number(figure(row, "validation_metric")),
        _points(row, "points"),
        _interval(row),
        row.flag("chosen"),
    )


def _points(record: Record, name: str) -> str:
    value = record.number(name)
    return MISSING if value is None else points(value / 100)


def _interval(record: Record) -> str:
    ends = [_points(record, name) for name in ("low", "high")]
    return MISSING if MISSING in ends else " to ".join(ends)
