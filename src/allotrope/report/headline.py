"""The first thing read: what was delivered and why, in plain sentences, or why nothing was."""

from __future__ import annotations

import math
from dataclasses import dataclass

from allotrope.measure.choice import CALLED, ENSEMBLES
from allotrope.report.candidate_rows import CandidateRow, Candidates
from allotrope.report.formatting import (
    THIN,
    capitalized,
    count,
    milliseconds,
    percent,
    shortened,
    size,
    times,
)
from allotrope.report.judged import LONGEST_NAME, Judged, judged
from allotrope.report.record import Record
from allotrope.tasks.metric import ACCURACY, AUC, RMSE
from allotrope.wording import agreeing, counted

MOST_TASKS = 4
"""Tiles of tasks beside the one that decides."""

STATUSES = {
    "done": ("done", "good"),
    "interrupted": ("interrupted", "warning"),
    "failed": ("failed", "bad"),
    "target-missed": ("target missed", "bad"),
    "running": ("not finished", "warning"),
}


@dataclass(frozen=True)
class Tile:
    """One large number with what it is and what it is compared with."""

    name: str
    value: str
    detail: str


@dataclass(frozen=True)
class Headline:
    """`status` in words and its kind (good, warning, bad), sentence, reasons, numbers."""

    status: str
    kind: str
    sentence: str
    reasons: list[str]
    tiles: list[Tile]


def headline(run: Record, candidates: Candidates) -> Headline:
    """What a reader must know who reads nothing else."""
    status, kind = STATUSES.get(
        run.text("status"), (run.text("status") or "not finished", "warning")
    )
    return Headline(
        status,
        kind,
        _sentence(run, candidates),
        _reasons(run, candidates),
        _tiles(run, candidates),
    )


def interval(fraction: float, number: float) -> tuple[float, float]:
    """The 95 % interval of a fraction seen on `number` examples (Wilson 1927, score interval)."""
    # Unlike the normal approximation it stays within 0 and 1 and is no single point at either.
    z = 1.96
    middle = (fraction + z * z / (2 * number)) / (1 + z * z / number)
    reach = (
        z
        / (1 + z * z / number)
        * math.sqrt(max(0.0, fraction * (1 - fraction) / number + z * z / (4 * number * number)))
    )
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _sentence(run: Record, candidates: Candidates) -> str:
    if candidates.delivered is not None:
        facts = _facts(candidates.delivered, candidates)
        return f"{_named(candidates.delivered)} is delivered: {facts}."
    if candidates.nearest_miss is not None:
        facts = _facts(candidates.nearest_miss, candidates)
        return (
            "No candidate meets the target, so nothing is delivered. "
            f"The nearest miss is {candidates.nearest_miss.name}: {facts}."
        )
    for split in ("test", "validation"):
        value = candidates.deciding.value(run, split)
        if value is not None:
            verb = "reaches "
            if candidates.deciding.plain:
                verb = "is "
            reached = verb + _reached(candidates.deciding, value, split)
            return f"The trained network {reached}; no file is delivered."
    return "The run ended before there was anything to deliver."


def _named(chosen: CandidateRow) -> str:
    """The runtime and precision; of an ensemble that it is one."""
    form = chosen.record.text("form")
    if form not in ENSEMBLES:
        return chosen.name
    return f"{capitalized(CALLED[form])} in {chosen.name}"


def _reached(deciding: Judged, value: float, split: str) -> str:
    """`right on 97.20 % of the test images`, or `test RMSE of age 3.41 days`."""
    if deciding.plain:
        return f"right on {deciding.text(value)} of the {split} {deciding.nouns}"
    return f"{split} {deciding.title} {deciding.text(value)}"


def _facts(chosen: CandidateRow, candidates: Candidates) -> str:
    facts, baseline = [], candidates.baseline
    if chosen.test is not None:
        facts.append(_reached(candidates.deciding, chosen.test, "test"))
    if chosen.latency is not None:
        facts.append(f"{milliseconds(chosen.latency)} an {candidates.deciding.noun}")
    if chosen.speed_up is not None and baseline is not None and not chosen.baseline:
        facts.append(f"{times(chosen.speed_up)} the speed of {baseline.name}")
    if chosen.size_bytes is not None:
        facts.append(f"{size(chosen.size_bytes)} on disk")
    return ", ".join(facts) or "not measured"


def _reasons(run: Record, candidates: Candidates) -> list[str]:
    reasons = []
    if run.text("status") == "interrupted":
        reasons.append(
            "The run was interrupted: what follows was made or measured before it stopped, "
            "from the best weights so far."
        )
    # What there is of a failed run is still shown: it cost its time.
    if run.text("status") == "failed":
        sentence = ": ".join(filter(None, ("The run failed", run.text("reason").rstrip("."))))
        reasons.append(f"{sentence}. What follows was made before.")
    if run.text("status") == "running":
        reasons.append(
            "The run is under way, or was killed. "
            "What follows is what it had made when this report was written."
        )
    if candidates.delivered is not None:
        reasons.append(_why(candidates.delivered, candidates))
    elif candidates.nearest_miss is not None:
        miss = candidates.nearest_miss
        reason = miss.record.text("reason")
        if reason:
            reasons.append(f"It misses the target: {reason}.")
    reasons.append(_decided(run))
    return list(filter(None, reasons))


def _decided(run: Record) -> str:
    """Which of several tasks decides."""
    deciding, *others = judged(run)
    if not others:
        return ""
    names = ", ".join(shortened(task.task, LONGEST_NAME) for task in others)
    return f"What decides is the {deciding.title}; {deciding.sense}. Only reported: {names}."


def _why(delivered: CandidateRow, candidates: Candidates) -> str:
    measured = [row for row in candidates.rows if row.measured]
    passing = [row for row in measured if row.passes and not row.baseline]
    # One that failed is named too: it might have been the best.
    failed = len(candidates.rows) - len(measured)
    were = agreeing(len(measured), "was", "were")
    text = f"{counted(len(measured), 'candidate')} {were} measured"
    if failed:
        text += f" and {failed} could not be"
    rank = _rank(delivered, candidates.deciding)
    meet = agreeing(len(passing), "meets", "meet")
    text += f"; {len(passing)} besides the baseline {meet} the target ({_target(candidates)}) "
    text += f"and this is {rank}"
    deciding = candidates.deciding
    if delivered.drop is not None:
        change = f"{deciding.change(delivered.drop)} {deciding.points}"
        text += f", {change} of validation {deciding.title} against float32"
    return text + ". Validation data decided; test data is only reported."


def _rank(delivered: CandidateRow, deciding: Judged) -> str:
    """In what the delivered candidate is the best, as the choice recorded it."""
    fastest = "the fastest of them"
    words = {
        "fastest": fastest,
        "fastest-weighed": f"{fastest} with single {deciding.nouns} and batches weighed alike",
        "best": f"the {deciding.best} of those that are as fast as the fastest",
        "smallest": f"the smallest of the {deciding.best} of those that are as fast as the fastest",
    }
    # Runs of earlier versions do not say.
    return words.get(delivered.record.text("best"), "the one that was chosen")


def _target(candidates: Candidates) -> str:
    parts, deciding = [], candidates.deciding
    if candidates.max_drop is not None:
        parts.append(deciding.allowed(candidates.max_drop))
    if candidates.max_latency is not None:
        parts.append(f"at most {milliseconds(candidates.max_latency)} an {deciding.noun}")
    if candidates.max_size is not None:
        parts.append(f"at most {size(candidates.max_size)}")
    return ", ".join(parts) or "none was set"


def _tiles(run: Record, candidates: Candidates) -> list[Tile]:
    chosen, baseline = candidates.delivered or candidates.nearest_miss, candidates.baseline
    tiles = _task_tiles(run, chosen)
    if chosen is None:
        return tiles
    other = None
    if not chosen.baseline:
        other = baseline
    if chosen.latency is not None:
        compared = other is not None and chosen.speed_up is not None
        detail = f"median, one {candidates.deciding.noun} at a time"
        if compared:
            detail = f"{times(chosen.speed_up)} as fast as the baseline"
        # Beside the figure stands what it is compared with, or what it is if there is no baseline.
        tiles.append(Tile("Latency, batch 1", milliseconds(chosen.latency), detail))
    if chosen.throughput is not None:
        compared = other is not None and chosen.throughput_ratio is not None
        detail = "median"
        if compared:
            detail = f"{times(chosen.throughput_ratio)} as many as the baseline"
        batch = run.text("measurement", "batch") or "64"
        tiles.append(
            Tile(
                f"{capitalized(candidates.deciding.nouns)} per second, batch {batch}",
                count(chosen.throughput),
                detail,
            )
        )
    if chosen.size_bytes is not None:
        detail = "on disk"
        if other is not None and other.size_bytes is not None:
            detail = f"the baseline takes {size(other.size_bytes)}"
        tiles.append(Tile("Size", size(chosen.size_bytes), detail))
    return tiles


def _task_tiles(run: Record, chosen: CandidateRow | None) -> list[Tile]:
    """What decides, of the chosen file if there is one, then the other tasks."""
    deciding, *others = judged(run)
    tiles = _metric_tiles(run, deciding, chosen)
    auc = deciding.account(run, "test").number(AUC.name)
    if auc is not None and deciding.metric != AUC:
        tiles.append(Tile("Test AUC", f"{auc:.4f}", "area under the ROC curve, float network"))
    for task in others[:MOST_TASKS]:
        tiles += _metric_tiles(run, task, None)
    return tiles


def _metric_tiles(run: Record, task: Judged, chosen: CandidateRow | None) -> list[Tile]:
    """The metric on test data, or on validation data if the run did not come so far."""
    test = task.value(run, "test")
    if chosen is not None and chosen.test is not None:
        test = chosen.test
    if test is not None:
        return [Tile(f"Test {task.title}", task.text(test), _certainty(run, task, test))]
    validation = task.value(run, "validation")
    if validation is None:
        return []
    detail = "the run did not reach the test data"
    return [Tile(f"Validation {task.title}", task.text(validation), detail)]


def _certainty(run: Record, task: Judged, value: float) -> str:
    """What a value is to be compared with: of accuracy its interval, of an error a plain guess."""
    guess, number = task.account(run, "test").number("guess"), _judged_by(run, task)
    if task.metric == RMSE and guess is not None:
        return f"{task.text(guess)} if the training mean is answered always"
    if task.metric != ACCURACY or not number or number < 1 or not 0 <= value <= 1:
        return f"of the test {task.nouns}"
    low, high = interval(value, number)
    examples = counted(number, task.noun, count)
    return f"95{THIN}% interval {percent(low, 1)} to {percent(high, 1)}, {examples}"


def _judged_by(run: Record, task: Judged) -> float | None:
    """How many test examples have a class of the task: a table may lack some."""
    rows = task.account(run, "test").records("per_class")
    return sum(row.number("support") or 0.0 for row in rows) or run.number("data", "test")
