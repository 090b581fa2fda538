"""The first thing read: what was delivered and why, in plain sentences, or why nothing was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.measure.choice import AS_FAST, slowness
from allotrope.report.candidates import Candidate, Candidates
from allotrope.report.formats import THIN, count, milliseconds, percent, points, size, times
from allotrope.report.record import Record

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
    chosen = candidates.delivered or candidates.nearest_miss
    return Headline(
        status,
        kind,
        _sentence(run, candidates),
        _reasons(run, candidates),
        _tiles(run, chosen, candidates.baseline),
    )


def interval(fraction: float, number: float) -> tuple[float, float]:
    """The 95 % interval of a fraction seen on `number` images (Wilson 1927, score interval)."""
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
        facts = _facts(candidates.delivered, candidates.baseline)
        return f"{candidates.delivered.name} is delivered: {facts}."
    if candidates.nearest_miss is not None:
        facts = _facts(candidates.nearest_miss, candidates.baseline)
        return (
            "No candidate meets the target, so nothing is delivered. "
            f"The nearest miss is {candidates.nearest_miss.name}: {facts}."
        )
    for split in ("test", "validation"):
        accuracy = run.number(split, "accuracy")
        if accuracy is not None:
            return (
                f"The trained network is right on {percent(accuracy)} of the {split} images; "
                "no file is delivered."
            )
    return "The run ended before there was anything to deliver."


def _facts(chosen: Candidate, baseline: Candidate | None) -> str:
    facts = []
    if chosen.test_accuracy is not None:
        facts.append(f"right on {percent(chosen.test_accuracy)} of the test images")
    if chosen.latency is not None:
        facts.append(f"{milliseconds(chosen.latency)} an image")
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
        misses = "; ".join(miss.misses) or miss.record.text("reason")
        if misses:
            reasons.append(f"It misses the target: {misses}.")
    return list(filter(None, reasons))


def _why(delivered: Candidate, candidates: Candidates) -> str:
    measured = [row for row in candidates.rows if row.measured]
    passing = [row for row in measured if row.passes and not row.baseline]
    # One that failed is named too: it might have been the best.
    failed = len(candidates.rows) - len(measured)
    text = f"{len(measured)} candidates were measured"
    if failed:
        text += f" and {failed} could not be"
    rank = _rank(delivered, passing, candidates.max_latency is not None)
    text += f"; {len(passing)} besides the baseline meet the target ({_target(candidates)}) "
    text += f"and this is {rank}"
    if delivered.change is not None:
        text += f", {points(delivered.change)} points of validation accuracy against float32"
    return text + ". Validation data decided; test data is only reported."


def _rank(delivered: Candidate, passing: Sequence[Candidate], limited: bool) -> str:
    """In what the delivered candidate is the best.

    `passing` begins with the lowest latency, which alone counts where it is `limited`.
    """
    # The plainest reason that holds is given; the others are for where the choice weighed more.
    if delivered in passing[:1]:
        return "the fastest of them"
    timed = [
        (slowness(row.latency, row.throughput, limited), row)
        for row in passing
        if row.latency and row.throughput
    ]
    fastest, best = min(timed, key=lambda pair: pair[0], default=(0.0, None))
    if best is delivered:
        return "the fastest of them with single images and batches weighed alike"
    as_fast = [row for time, row in timed if time <= AS_FAST * fastest]
    if not any(row is delivered for row in as_fast):
        return "the one that was chosen"
    # Of equally good ones the smaller file was chosen, which is only said if it decided.
    equals = [
        row
        for row in as_fast
        if row.validation_accuracy == delivered.validation_accuracy and row is not delivered
    ]
    own = delivered.size_bytes or 0.0
    if equals and all(own < (row.size_bytes or 0.0) for row in equals):
        return "the smallest of the most accurate of those that are as fast as the fastest"
    return "the most accurate of those that are as fast as the fastest"


def _target(candidates: Candidates) -> str:
    parts = []
    if candidates.max_drop is not None:
        parts.append(f"lose at most {candidates.max_drop:g} points of validation accuracy")
    if candidates.max_latency is not None:
        parts.append(f"at most {milliseconds(candidates.max_latency)} an image")
    if candidates.max_size is not None:
        parts.append(f"at most {size(candidates.max_size)}")
    return ", ".join(parts) or "none was set"


def _tiles(run: Record, chosen: Candidate | None, baseline: Candidate | None) -> list[Tile]:
    tiles = _accuracy_tiles(run, chosen)
    if chosen is None:
        return tiles
    other = None
    if not chosen.baseline:
        other = baseline
    if chosen.latency is not None:
        compared = other is not None and chosen.speed_up is not None
        detail = "median, one image at a time"
        if compared:
            detail = f"{times(chosen.speed_up)} as fast as the baseline"
        # Beside the figure stands what it is compared with, or what it is if there is no baseline.
        tiles.append(Tile("Latency, batch 1", milliseconds(chosen.latency), detail))
    if chosen.throughput is not None:
        compared = other is not None and chosen.throughput_ratio is not None
        detail = "median"
        if compared:
            detail = f"{times(chosen.throughput_ratio)} as many as the baseline"
        tiles.append(
            Tile(
                f"Images per second, batch {run.text('measurement', 'batch') or '64'}",
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


def _accuracy_tiles(run: Record, chosen: Candidate | None) -> list[Tile]:
    test = None
    if chosen is not None:
        test = chosen.test_accuracy
    if test is None:
        test = run.number("test", "accuracy")
    validation, auc = run.number("validation", "accuracy"), run.number("test", "auc")
    tiles = []
    if test is not None:
        tiles.append(
            Tile("Test accuracy", percent(test), _certainty(test, run.number("data", "test")))
        )
    elif validation is not None:
        tiles.append(
            Tile("Validation accuracy", percent(validation), "the run did not reach the test data")
        )
    if auc is not None:
        tiles.append(Tile("Test AUC", f"{auc:.4f}", "area under the ROC curve, float network"))
    return tiles


def _certainty(accuracy: float, number: float | None) -> str:
    if not number or number < 1 or not 0 <= accuracy <= 1:
        return "of the test images"
    low, high = interval(accuracy, number)
    return f"95{THIN}% interval {percent(low, 1)} to {percent(high, 1)}, {count(number)} images"
