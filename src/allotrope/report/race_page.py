"""The report of a race of frameworks: what `compare` wrote to run.json, as rows and sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from allotrope.report import sections
from allotrope.report.courses import courses
from allotrope.report.formatting import (
    capitalized,
    count,
    duration,
    runtime_name,
    size,
    stated,
    times,
)
from allotrope.report.headline import STATUSES, Headline, Tile
from allotrope.report.judged import Judged, judged
from allotrope.report.record import Record
from allotrope.report.run_folder import RunFolder
from allotrope.run_words import inside

CHART_SIZES = (
    (1124, 380),
    (720, 360),
    (358, 320),
)  # as in write.py: one is shown, so that text keeps its size


@dataclass(frozen=True)
class FrameworkRow:
    """A framework of the race.

    Shares are of the fastest, `seconds` those to the goal, the metric in words.
    """

    record: Record
    name: str
    settings: str
    training: float | None
    training_share: float
    inference: float | None
    inference_share: float
    seconds: float | None
    validation: str
    test: str
    recommended: bool
    agrees: bool | None
    reason: str
    step: str = ""

    @property
    def measured(self) -> bool:
        """Whether there is a speed."""
        return self.training is not None

    @property
    def verdict(self) -> str:
        """Recommended, measured, or what is wrong."""
        if self.recommended:
            return "use this"
        if self.agrees is False:
            return "losses differ"
        if self.measured and not self.reason:
            return "measured"
        if self.measured:
            return "not measured to the end"
        return "not measured"


def comparison_page(folder: RunFolder) -> dict[str, Any]:
    """Everything that the templates name for a race."""
    run = Record(inside(folder.record.fields))
    deciding = judged(run)[0]
    rows = framework_rows(run, deciding)
    charts = [chart for size_ in CHART_SIZES if (chart := courses(run, deciding, *size_))]
    races = [
        (row.name, sections.race_rows(row.record), sections.race_note(row.record)) for row in rows
    ]
    return {
        "head": _headline(run, rows, deciding),
        "rows": rows,
        "deciding": deciding,
        "race_facts": _race_facts(run, deciding),
        "charts": charts,
        "races": [race for race in races if race[1] or race[2]],
        "parts": [
            ("frameworks", "Frameworks", rows),
            ("courses", f"{capitalized(deciding.title)} over time", charts),
            ("races", "Settings", any(race[1] or race[2] for race in races)),
        ],
    }


def framework_rows(run: Record, deciding: Judged) -> list[FrameworkRow]:
    """The recommended one first, then by time to the goal, then by speed.

    What was not measured last.
    """
    records = run.records("frameworks")
    fastest = {
        kind: max((r.number(kind, "examples_per_second") or 0.0 for r in records), default=0.0)
        or 1.0
        for kind in TIMED
    }
    return sorted((_row(record, fastest, deciding) for record in records), key=_order)


TIMED = ("training", "inference")


def _order(row: FrameworkRow) -> tuple[bool, float, float]:
    return not row.recommended, row.seconds or math.inf, -(row.training or 0.0)


def _row(record: Record, fastest: dict[str, float], deciding: Judged) -> FrameworkRow:
    speeds = {kind: record.number(kind, "examples_per_second") for kind in TIMED}
    agrees = record.value("agreement", "agrees")
    if not isinstance(agrees, bool):
        agrees = None
    return FrameworkRow(
        record=record,
        name=runtime_name(record.text("framework")),
        settings=_settings(record.record("settings")),
        training=speeds["training"],
        training_share=(speeds["training"] or 0.0) / fastest["training"],
        inference=speeds["inference"],
        inference_share=(speeds["inference"] or 0.0) / fastest["inference"],
        seconds=record.number("seconds_to_metric", "median"),
        validation=deciding.text(record.number("validation_metric", "mean")),
        test=deciding.text(record.number("test_metric", "mean")),
        recommended=record.flag("recommended"),
        agrees=agrees,
        reason=record.text("reason"),
        step=_step(record.record("step")),
    )


def _step(step: Record) -> str:
    """`1.2 ms a step, 35 µs an example`; nothing if it was not measured."""
    fixed, example = step.number("fixed"), step.number("example")
    if fixed is None or example is None:
        return ""
    return f"{fixed:.2g} ms a step, {1e3 * example:.2g} µs each"


def _settings(settings: Record) -> str:
    parts = [settings.text("precision")]
    if settings.text("layout") != "default":
        parts.append(settings.text("layout"))
    if settings.flag("compiled"):
        parts.append("compiled")
    return ", ".join(filter(None, parts))


def _headline(run: Record, rows: list[FrameworkRow], deciding: Judged) -> Headline:
    status, kind = STATUSES.get(
        run.text("status"), (run.text("status") or "not finished", "warning")
    )
    sentence = run.text("verdict", "sentence") or "The race ended before anything was compared."
    tiles: list[Tile] = []
    for chosen in [row for row in rows if row.recommended][:1]:
        tiles = _tiles(run, chosen, rows, deciding)
    return Headline(status, kind, sentence, _reasons(run), tiles)


def _reasons(run: Record) -> list[str]:
    reasons = []
    if run.text("status") == "interrupted":
        reasons.append("The race was interrupted: what follows was measured before it stopped.")
    if run.text("status") == "failed":
        sentence = ": ".join(filter(None, ("The race failed", run.text("reason").rstrip("."))))
        reasons.append(f"{sentence}. What follows was measured before.")
    return [*reasons, *map(str, run.record("race").items("remarks"))]


def _tiles(
    run: Record, chosen: FrameworkRow, rows: list[FrameworkRow], deciding: Judged
) -> list[Tile]:
    others = [row for row in rows if row.measured and row is not chosen]
    tiles = [
        Tile(
            f"Training, {deciding.nouns} per second",
            count(chosen.training),
            _against([row.training for row in others], chosen.training),
        ),
        Tile(
            f"Inference, {deciding.nouns} per second",
            count(chosen.inference),
            _against([row.inference for row in others], chosen.inference),
        ),
    ]
    if chosen.seconds is not None:
        goal = deciding.text(run.number("metric_goal"))
        tiles.append(
            Tile(
                f"Time to {goal} {deciding.title}",
                duration(chosen.seconds),
                "from the import of the framework on",
            )
        )
    memory = chosen.record.number("peak_memory")
    if memory is not None:
        tiles.append(
            Tile("Peak memory", size(memory), "of the process while it trained and inferred")
        )
    return tiles


def _against(others: list[float | None], chosen: float | None) -> str:
    """How the number compares with the best of the others."""
    best = max((other for other in others if other), default=None)
    if best and chosen:
        return f"{times(chosen / best)} the best of the others"
    return "median over interleaved rounds"


def _race_facts(run: Record, deciding: Judged) -> list[tuple[str, str]]:
    """How the race was held, in a few names and values."""
    race = run.record("race")
    goal, budget = run.number("metric_goal"), race.number("budget")
    guess = race.record("guess")

    def guessed(value: float) -> str:
        return f"{deciding.text(value)} test {deciding.title}"

    facts = [
        ("threads for each", race.text("threads")),
        ("budget", stated(duration, budget)),
        ("trainings each", race.text("seeds")),
        ("epochs of each", race.text("epochs") or "none: the budget left no time"),
        (
            "goal",
            stated(lambda value: f"{deciding.text(value)} validation {deciding.title}", goal),
        ),
        (f"answering {guess.text('words')}", stated(guessed, guess.number("value"))),
        ("before its first step", stated(guessed, race.record("begun").number("test_metric"))),
        ("boosted trees", stated(guessed, race.record("trees").number("test_metric"))),
    ]
    return [(name, value) for name, value in facts if value]
