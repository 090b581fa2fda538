"""How a recipe was searched: its verdict, the trials one after the other, and what counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allotrope.report.formatting import MISSING, milliseconds, shortened, size
from allotrope.report.judged import Judged, judged
from allotrope.report.record import Record
from allotrope.report.trial_charts import ShownTrial, TrialChart, front_chart, history_chart
from allotrope.wording import counted

SHOWN = 12
"""Trials in the table that is open; the others stand behind it."""
STATES = {
    "done": ("good", "✓ to the last rung"),
    "stopped": ("plain", "others were better"),
    "infeasible": ("bad", "✕ not within the limits"),
    "running": ("plain", "not finished"),
    "failed": ("bad", "✕ does not count"),
}


@dataclass(frozen=True)
class StandingRow:
    """An entrant of the final trainings."""

    name: str
    settings: str
    mean: str
    deviation: str
    seeds: str
    chosen: bool


@dataclass(frozen=True)
class ImportanceRow:
    """A setting and its share."""

    name: str
    share: float


@dataclass(frozen=True)
class TrialRow:
    """A trial in words."""

    name: str
    settings: str
    values: str
    latency: float | None
    size_bytes: float | None
    tag: tuple[str, str]


@dataclass(frozen=True)
class TuningSection:
    """The whole section."""

    note: str
    standings: list[StandingRow]
    histories: list[TrialChart]
    fronts: list[TrialChart]
    rungs: list[str]
    importance: list[ImportanceRow]
    trials: list[TrialRow]
    others: list[TrialRow]
    deciding: Judged


def tuning_section(run: Record, sizes: Sequence[tuple[int, int]]) -> TuningSection | None:
    """The section, with charts of each of these sizes; None of a run that was not tuned."""
    facts = run.record("tuning")
    trials = facts.records("trials")
    if not facts:
        return None
    deciding = judged(run)[0]
    rungs = _rungs(facts)
    shown = [_shown(trial, facts, deciding) for trial in trials]
    ceiling = run.number("target", "max_latency")
    rows = [_row(trial, facts, deciding) for trial in _ranked(trials, deciding)]
    histories = [history_chart(shown, deciding, *each) for each in sizes]
    fronts = [front_chart(shown, deciding, ceiling, *each) for each in sizes]
    return TuningSection(
        _note(facts, trials, rungs),
        _standings(facts, deciding),
        [chart for chart in histories if chart is not None],
        [chart for chart in fronts if chart is not None],
        rungs,
        _importance(facts),
        rows[:SHOWN],
        rows[SHOWN:],
        deciding,
    )


def _rungs(facts: Record) -> list[str]:
    unit = "epochs" if facts.flag("rungs", "by_epochs") else "s"
    return [f"{float(length):.3g} {unit}" for length in facts.items("rungs", "lengths")]


def _note(facts: Record, trials: Sequence[Record], rungs: Sequence[str]) -> str:
    trained = sum(bool(trial.items("rungs")) for trial in trials)
    beyond = sum(trial.text("state") == "infeasible" for trial in trials)
    said = f"{counted(len(trials), 'trial')}, {trained} of them trained"
    if beyond:
        said += f", {beyond} beyond the limits before anything was trained"
    lengths = ""
    if rungs:
        lengths = (
            f" Each is trained for {rungs[0]}, with a whole schedule of that length"
            f"{_longer(rungs[1:])}."
        )
    reason = facts.text("verdict", "reason")
    ending = f" In the end {reason}." if reason else ""
    return f"{said}.{lengths}{ending}"


def _longer(rungs: Sequence[str]) -> str:
    if not rungs:
        return ""
    return f", and the best third anew for {', of these again for '.join(rungs)}"


def _standings(facts: Record, deciding: Judged) -> list[StandingRow]:
    settings = {
        each.number("trial"): each.record("settings").fields for each in facts.records("entrants")
    }
    chosen = facts.number("verdict", "trial")
    rows = []
    for each in facts.records("verdict", "standings"):
        number = each.number("trial")
        words = _in_words(facts, settings.get(number, {}))
        rows.append(
            StandingRow(
                f"trial {each.text('trial')}",
                words,
                deciding.number(each.number("mean")),
                deciding.change(_deviation(each, deciding)).lstrip("+−-"),
                each.text("seeds"),
                number == chosen,
            )
        )
    return rows


def _deviation(each: Record, deciding: Judged) -> float | None:
    """The standard deviation in points, as a drop."""
    mean, deviation = each.number("mean"), each.number("deviation")
    if mean is None or deviation is None:
        return None
    worse = mean - deviation if deciding.metric.higher_is_better else mean + deviation
    return deciding.metric.drop(mean, worse)


def _importance(facts: Record) -> list[ImportanceRow]:
    shares = facts.record("importance")
    rows = [
        ImportanceRow(name.replace("_", " "), shares.number(name) or 0.0) for name in shares.fields
    ]
    return sorted(rows, key=lambda row: -row.share)


def _value(trial: Record) -> float | None:
    rungs = trial.records("rungs")
    return rungs[-1].number("value") if rungs else None


def _ranked(trials: Sequence[Record], deciding: Judged) -> list[Record]:
    """The best first: by the rung, then by the metric there."""

    def standing(trial: Record) -> tuple[float, float]:
        value = _value(trial)
        if value is None:
            return (0.0, 0.0)
        return (float(len(trial.items("rungs"))), deciding.metric.rank(value))

    return sorted(trials, key=standing, reverse=True)


def _shown(trial: Record, facts: Record, deciding: Judged) -> ShownTrial:
    value, number = _value(trial), int(trial.number("number") or 0)
    latency = trial.number("costs", "latency_ms")
    rung = max(len(trial.items("rungs")) - 1, 0)
    reached = f"not trained: {STATES['infeasible'][1]}"
    if value is not None:
        reached = f"{deciding.metric.title} {deciding.text(value)} after {_rungs(facts)[rung]}"
    words = _in_words(facts, trial.record("settings").fields)
    lines = (
        f"trial {number}: {reached}",
        f"latency {milliseconds(latency)}, {size(trial.number('costs', 'size_bytes'))}",
        shortened(words, 60),
    )
    return ShownTrial(
        f"trial {number}",
        number,
        rung,
        value,
        latency,
        trial.text("state") != "infeasible",
        number == facts.number("verdict", "trial"),
        lines,
    )


def _row(trial: Record, facts: Record, deciding: Judged) -> TrialRow:
    values = [each.number("value") for each in trial.records("rungs")]
    tag = STATES.get(trial.text("state"), ("plain", trial.text("state")))
    if trial.text("reason"):
        tag = ("bad", shortened(trial.text("reason"), 80))
    return TrialRow(
        trial.text("number"),
        _in_words(facts, trial.record("settings").fields),
        " → ".join(deciding.number(value) for value in values) or MISSING,
        trial.number("costs", "latency_ms"),
        trial.number("costs", "size_bytes"),
        tag,
    )


def _in_words(facts: Record, settings: Mapping[str, Any]) -> str:
    """What differs from the default recipe."""
    words = []
    for name, value in settings.items():
        space = facts.record("space", name)
        if value == space.value("usual"):
            continue
        shown = f"{value:.3g}" if isinstance(value, float) else str(value)
        times = "× " if space.flag("factor") else ""
        words.append(f"{name.replace('_', ' ')} {times}{shown}")
    return ", ".join(words) or "the default recipe"
