"""A check's result: a judgement a framework and precision, as values and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allotrope.wording import counted

if TYPE_CHECKING:
    from allotrope.measure.agreement.comparer import Comparison
    from allotrope.measure.agreement.judge import Row

COLUMNS = {
    "outputs": "outputs",
    "training outputs": "in training",
    "gradients": "gradients",
    "slopes": "slopes",
    "outputs, batch 1": "batch 1",
    "gradients, batch 1": "its grads",
    "slopes, batch 1": "its slopes",
    "first loss": "first loss",
    "first state": "its state",
    "training slopes": "its slopes",
    "losses": "losses",
    "weights": "weights",
    "state": "state",
}
"""Each part of a judgement and the heading of its column."""

LEADS = {
    "gradients": "slopes",
    "gradients, batch 1": "slopes, batch 1",
    "losses": "first loss",
    "weights": "first loss",
    "state": "first loss",
}
"""For a part in which others are held to a framework: the part that this one has, if it is that
framework."""

LEFT_OUT = {"losses": "rounding alone decides"}
"""Why some things of a part were not compared, where it is not for want of finite differences."""

SHOWN = 5
"""Departures of a part that are kept; they are counted beyond that."""


@dataclass(frozen=True)
class Proof:
    """What was found, in `json`; printed, a table.

    `exit_code` is 1 where something departs, or was to be compared and could not.
    """

    json: dict[str, Any]

    @property
    def agrees(self) -> bool:
        """Whether all that was asked for was compared, and nothing departs."""
        return bool(self.json["agrees"])

    @property
    def exit_code(self) -> int:
        """0 or 1."""
        if self.agrees:
            return 0
        return 1

    def __str__(self) -> str:
        rows = self.json["rows"]
        lines = [
            _heading(self.json),
            "",
            *_table(rows),
            "",
            *_details(rows),
            *_partings(self.json),
            *self.json["notes"],
        ]
        return "\n".join([*lines, _verdict(self.json)])


def row_of(row: Row) -> dict[str, Any]:
    """A judgement as plain values."""
    recording = row.recording
    departs = any(not part.agrees for part in row.parts.values())
    if departs:
        status = "departs"
    elif recording.failure:
        status = "failed"
    elif row.agrees:
        status = "agrees"
    else:
        status = "refused"
    return {
        "framework": recording.framework,
        "version": recording.version,
        "precision": recording.precision,
        "status": status,
        "reason": recording.failure,
        "parts": {
            part: {**_plain(comparison), "against": row.against[part]}
            for part, comparison in row.parts.items()
        },
        "refused": recording.refused,
    }


def missing_row(framework: str, reason: str) -> dict[str, Any]:
    """The row of a framework that is not installed."""
    empty: dict[str, Any] = {"version": None, "precision": None, "parts": {}, "refused": {}}
    return {"framework": framework, "status": "missing", "reason": reason, **empty}


def agreement(rows: Sequence[Mapping[str, Any]], named: Sequence[str]) -> bool:
    """Whether nothing departs, something was compared, and each `named` framework in full."""
    compared = [row for row in rows if row["parts"]]
    whole = {row["framework"] for row in rows} - {
        row["framework"] for row in rows if row["reason"] or row["refused"]
    }
    return (
        bool(compared) and all(row["status"] != "departs" for row in rows) and set(named) <= whole
    )


def _plain(comparison: Comparison) -> dict[str, Any]:
    departures = [
        {"culprit": d.culprit, "problem": d.problem, "error": d.error}
        for d in comparison.departures[:SHOWN]
    ]
    return {
        "agrees": comparison.agrees,
        "left_out": comparison.left_out,
        "error": comparison.error,
        "tolerance": comparison.tolerance,
        "compared": comparison.compared,
        "departed": len(comparison.departures),
        "departures": departures,
    }


def _heading(facts: Mapping[str, Any]) -> str:
    training = "no training"
    if facts["loss"]:
        training = f"{counted(facts['steps'], 'training step')} with {facts['loss']}"
    size = f"{counted(facts['nodes'], 'node')}, {counted(facts['weights'], 'weight')}"
    return (
        f"{facts['network']}: {size}; batch {facts['batch']}, {training}, seed {facts['seed']}.\n"
        "Largest errors, relative to the scale of their array; ! departs. Outputs, slopes and the "
        "first step are held to the reference,\n"
        "NumPy in float64; gradients, losses, weights and state to the framework that is marked "
        "as first."
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = [part for part in COLUMNS if any(part in row["parts"] for row in rows)]
    names = max([len("framework"), *(len(_called(row)) for row in rows)])
    head = f"{'framework':{names}}  {'precision':9}" + "".join(
        f"  {COLUMNS[part]:>11}" for part in parts
    )
    return [head, *(_line(row, parts, names) for row in rows)]


def _called(row: Mapping[str, Any]) -> str:
    if row["version"]:
        return f"{row['framework']} {row['version']}"
    return str(row["framework"])


def _line(row: Mapping[str, Any], parts: Sequence[str], names: int) -> str:
    start = f"{_called(row):{names}}  {row['precision'] or '':9}"
    if not row["parts"]:
        return f"{start}  {row['reason'] or '; '.join(row['refused'].values())}"
    return start + "".join(f"  {_cell(row, part):>11}" for part in parts)


def _cell(row: Mapping[str, Any], part: str) -> str:
    if part in row["parts"]:
        comparison = row["parts"][part]
        if comparison["compared"]:
            return _number(comparison["error"]) + ("" if comparison["agrees"] else " !")
        return "-"
    leads = part in LEADS and LEADS[part] in row["parts"] and row["precision"] == "float64"
    if leads:
        return "first"
    return "-"


def _number(error: float | None) -> str:
    if error is None or not math.isfinite(error):
        return "wrong"
    if error == 0:
        return "0"
    return f"{error:.0e}"


def _details(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The first departure of every part, and the reason for every part that is lacking."""
    lines = []
    for row in rows:
        who = f"{row['framework']} {row['precision'] or ''}".strip()
        for part, comparison in row["parts"].items():
            if comparison["left_out"]:
                lines.append(
                    f"{who} {part}: {comparison['left_out']} are left out, where "
                    f"{LEFT_OUT.get(part, 'finite differences do not settle')}"
                )
            if not comparison["agrees"]:
                first, more = comparison["departures"][0], comparison["departed"] - 1
                rest = ""
                if more:
                    rest = f" ({more} more depart)"
                lines.append(
                    f"{who} departs from {comparison['against']} in {part}: {first['culprit']}: "
                    f"{first['problem']}{rest}"
                )
        if row["parts"]:
            lines += [f"{who} has no {part}: {reason}" for part, reason in row["refused"].items()]
            if row["reason"]:
                lines += [f"{who} failed: {row['reason']}"]
    return lines


def _partings(facts: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, (first, step) in facts["partings"].items():
        if step is None:
            when = "do not part"
        else:
            when = f"part at step {step}"
        lines.append(
            f"float32 losses of {name} and {first} {when} (by more than {facts['parting']:g})"
        )
    return lines


def _verdict(facts: Mapping[str, Any]) -> str:
    compared = sorted({row["framework"] for row in facts["rows"] if row["parts"]})
    departing = sorted({row["framework"] for row in facts["rows"] if row["status"] == "departs"})
    if departing:
        return f"{', '.join(departing)} {'departs' if len(departing) == 1 else 'depart'}."
    if not compared:
        return "Nothing could be compared."
    lacking = " Not all that was asked for could be compared."
    if facts["agrees"]:
        lacking = ""
    return (
        f"{', '.join(compared)} {'agrees' if len(compared) == 1 else 'agree'} with the "
        f"reference.{lacking}"
    )
