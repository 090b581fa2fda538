"""Which candidates meet a target, and which of those is the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from allotrope.config import Target
from allotrope.tasks.metric import Metric

Row = dict[str, Any]
DECIDING = "validation_metric"
REFERENCE = "reference"
"""In the row of what others are compared with, if it is not the best of them."""
TREES, TOGETHER = "trees", "network-and-trees"
"""Forms of candidates that are not the network alone: boosted trees that learned the same rows, and
the mean of what both answer."""
ENSEMBLE, MIRRORED, IN_MIRROR = "ensemble", "mirrored", "ensemble-mirrored"
"""Forms of several answers: of an ensemble's members, of one network to an example as it is and
mirrored, and of the ensemble to these."""
WITH_TREES = "ensemble-and-trees"
ENSEMBLES = (ENSEMBLE, MIRRORED, IN_MIRROR, WITH_TREES)
CALLED = {
    TREES: "the boosted trees",
    TOGETHER: "network and trees together",
    ENSEMBLE: "the ensemble",
    MIRRORED: "the network with its mirrored answer",
    IN_MIRROR: "the ensemble with its mirrored answer",
    WITH_TREES: "the ensemble and trees together",
}
ALONE = {
    "soup": "the mean of the members' weights",
    "distilled": "the network that learned the ensemble's answers",
}
"""Networks that were made of all members and are as large as one."""
TOLERANCE = 1e-9
"""Points of the metric: a drop of exactly what is allowed passes, whatever its last bit says."""
AS_FAST = 1.05
"""Within five hundredths two speeds are one: medians of a machine in use repeat no better, and a
better metric is worth more."""


def judge(rows: Sequence[Row], target: Target, metric: Metric) -> list[Row]:
    """The rows, each with `passes` and the `reason` in words.

    The drop is counted from the metric in float32 on validation data. The baseline is judged but
    never delivered.
    """
    measures = comparable(rows, target, metric)
    reference = reference_metric(measures, target, metric)
    best = _best_in_words(measures, reference)
    least = least_loss(measures)
    if len(measures) < len(rows):
        rows = _with_reference(rows, measures, reference)
    judged = []
    for row in rows:
        # It failed, and its reason says so already.
        if "latency_ms" not in row:
            judged.append({**row, "passes": False})
            continue
        limits = _all_misses(row, reference, least, target, metric, best)
        misses = [text for text, excess in limits if excess > 0]
        # All limits that it misses are named: mending one alone might not be enough.
        reason = "; ".join(misses) or _praise(row, reference, metric, best)
        judged.append({**row, "passes": not misses, "reason": reason})
    return judged


def comparable(rows: Sequence[Row], target: Target, metric: Metric) -> Sequence[Row]:
    """The rows of networks that meet all limits in some form; if there are none, one network's own.

    What is too slow or too large to be delivered is no measure for what is not: beside an ensemble
    that no limit lets through one network would lose too much, and nothing would be delivered.
    """
    if any(row.get(REFERENCE) for row in rows):
        return rows
    # By network, whatever its precision: int8 files are measured by their own float32.
    networks: dict[str, list[Row]] = {}
    for row in rows:
        networks.setdefault(CALLED.get(row.get("form", ""), ""), []).append(row)
    able = [own for own in networks.values() if _has_deliverable(own, target, metric)]
    if not able:
        # Then it is asked what comes nearest, which several networks are further from than one.
        return [row for row in rows if row.get("form", "") not in ENSEMBLES] or rows
    if len(able) == len(networks):
        return rows
    return [row for own in able for row in own]


def _has_deliverable(own: Sequence[Row], target: Target, metric: Metric) -> bool:
    """Whether a row of one network meets the limits, if nothing else was compared with."""
    reference, least = reference_metric(own, target, metric), least_loss(own)
    return any(
        all(excess <= 0 for _, excess in _all_misses(row, reference, least, target, metric))
        for row in own
        if "latency_ms" in row and not row.get("baseline")
    )


def _with_reference(
    rows: Sequence[Row], measures: Sequence[Row], reference: float | None
) -> list[Row]:
    """The rows, the one marked that others are compared with, as it is not the best of all."""
    own = [row for row in measures if row["precision"] == "float32"]
    named = next((row for row in own if row.get(DECIDING) == reference), None)
    return [{**row, REFERENCE: True} if row is named else row for row in rows]


def keeps_metric(
    row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], target: Target, metric: Metric
) -> bool:
    """Whether the answers of a row are within the limits, however fast and large it is.

    `rows` are the candidates, of which those in float32 are compared with.
    """
    reference = reference_metric(rows, target, metric)
    misses = [
        *_metric_misses(row, reference, target, metric),
        *_loss_misses(row, least_loss(rows), target),
    ]
    return all(excess <= 0 for _, excess in misses)


def choose(rows: Sequence[Row], target: Target, metric: Metric) -> Row | None:
    """The fastest that passes, None if none does.

    Fastest is the lowest latency at batch 1 if the target limits it, else the lowest geometric mean
    of the time for one example alone and the time for one in a batch, so that neither use is bought
    with the other. Of those that are as fast (`AS_FAST`), the best by the metric on validation
    data; of equals, the smaller file.
    """
    # The baseline is the trained network as it came, to compare with; it is no form to deliver.
    passing = [row for row in rows if row["passes"] and not row.get("baseline")]
    fastest = min((_slowness(row, target) for row in passing), default=0.0)
    # Not the very fastest: two that differ by less than a machine repeats are equal, and what they
    # answer decides between them.
    as_fast = [row for row in passing if _slowness(row, target) <= AS_FAST * fastest]

    def order(row: Row) -> tuple[float, int, float]:
        return -_rank(row, metric), row["size_bytes"], _slowness(row, target)

    return min(as_fast, key=order, default=None)


def distinction(row: Row, rows: Sequence[Row], target: Target, metric: Metric) -> str:
    """In what the chosen row is the best of those that pass, as a word for the record.

    The plainest that holds: `fastest` on one example; `fastest-weighed`, one example and a batch
    weighed alike; of those that are as fast, the `best` by the metric, or the `smallest` of equals.
    """
    passing = [other for other in rows if other["passes"] and not other.get("baseline")]
    times = {id(other): _slowness(other, target) for other in passing}
    if row["latency_ms"]["median"] <= min(other["latency_ms"]["median"] for other in passing):
        return "fastest"
    if times[id(row)] <= min(times.values()):
        return "fastest-weighed"
    limit = AS_FAST * min(times.values())
    equals = [
        other
        for other in passing
        if times[id(other)] <= limit and other.get(DECIDING) == row.get(DECIDING)
    ]
    # The size is only the reason if there was something of the same worth to decide between.
    if all(row["size_bytes"] < other["size_bytes"] for other in equals if other is not row):
        return "smallest" if len(equals) > 1 else "best"
    return "best"


def nearest_miss(rows: Sequence[Row], target: Target, metric: Metric) -> Row | None:
    """The candidate that exceeds its limits by the smallest factor, the worst limit counting.

    None if none was measured.
    """
    reference, least = reference_metric(rows, target, metric), least_loss(rows)
    measured = [row for row in rows if "latency_ms" in row and not row.get("baseline")]

    def excess(row: Row) -> float:
        # A target is missed by its worst limit: being small does not make up for being slow.
        misses = _all_misses(row, reference, least, target, metric)
        return max((excess for _, excess in misses), default=0.0)

    return min(measured, key=excess, default=None)


def float32_metric(rows: Sequence[Mapping[str, Any]], metric: Metric) -> float | None:
    """The best float32 candidate on validation data: they are one network but for rounding."""
    values = [row.get(DECIDING) for row in rows if row["precision"] == "float32"]
    return max((value for value in values if value is not None), key=metric.rank, default=None)


def reference_metric(
    rows: Sequence[Mapping[str, Any]], target: Target, metric: Metric
) -> float | None:
    """What a drop is counted from: the best in float32, by the loss if that is limited.

    So what is best by its loss meets both limits, however far it is off by chance in the metric.
    If one among them says that it is the `REFERENCE`, as a network before it was cut, it is that.
    """
    named: list[float] = [row[DECIDING] for row in rows if row.get(REFERENCE) and DECIDING in row]
    if named:
        return named[0]
    least = least_loss(rows)
    if target.max_worse is None or least is None:
        return float32_metric(rows, metric)
    full = [row for row in rows if row["precision"] == "float32"]
    best: float | None = next(row for row in full if row.get("validation_loss") == least)[DECIDING]
    return best


def least_loss(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The least loss on validation data of those in float32 that say it."""
    losses = [row.get("validation_loss") for row in rows if row["precision"] == "float32"]
    return min((loss for loss in losses if loss is not None), default=None)


def _loss_misses(
    row: Mapping[str, Any], least: float | None, target: Target
) -> list[tuple[str, float]]:
    """The limit of the loss, as `_misses` has those of others."""
    loss = row.get("validation_loss")
    if target.max_worse is None or least is None or loss is None:
        return []
    worse = 100 * (loss / least - 1) if least > 0 else 0.0
    text = (
        f"validation loss {loss:.4g} is {worse:.2g}% above the best, {target.max_worse:g}% allowed"
    )
    return [(text, (worse - target.max_worse) / target.max_worse)]


def _best_in_words(rows: Sequence[Mapping[str, Any]], reference: float | None) -> str:
    """What has the metric in float32 with which others are compared."""
    if any(row.get(REFERENCE) for row in rows):
        return "the network before"
    best = [row for row in rows if row["precision"] == "float32" and row.get(DECIDING) == reference]
    forms = {row.get("form", "") for row in best}
    return CALLED.get(forms.pop(), "float32") if len(forms) == 1 else "float32"


def _all_misses(
    row: Row,
    reference: float | None,
    least: float | None,
    target: Target,
    metric: Metric,
    best: str = "float32",
) -> list[tuple[str, float]]:
    """`_misses`, and the limit of the loss."""
    return [*_misses(row, reference, target, metric, best), *_loss_misses(row, least, target)]


def _misses(
    row: Row, reference: float | None, target: Target, metric: Metric, best: str = "float32"
) -> list[tuple[str, float]]:
    """Each limit in words with the excess over it as a fraction of it.

    At or below 0 the limit is met.
    """
    misses = []
    # The excess is a fraction of the limit, so that milliseconds, bytes and points compare.
    latency, size = row["latency_ms"]["median"], row["size_bytes"]
    if target.max_latency is not None:
        text = f"latency {latency:.4g} ms is over {target.max_latency:.4g} ms"
        misses.append((text, latency / target.max_latency - 1))
    if target.max_size is not None:
        text = f"size {size:,} bytes is over {target.max_size:,} bytes"
        misses.append((text, size / target.max_size - 1))
    return [*misses, *_metric_misses(row, reference, target, metric, best)]


def _metric_misses(
    row: Mapping[str, Any],
    reference: float | None,
    target: Target,
    metric: Metric,
    best: str = "float32",
) -> list[tuple[str, float]]:
    """The limit of the drop, as `_misses` has those of others."""
    value = row.get(DECIDING)
    if reference is None or value is None:
        return []
    drop = metric.drop(reference, value)
    apart = f"is {metric.apart(reference, value)} {best}, {target.max_drop:g} allowed"
    text = f"validation {metric.title} {metric.text(value)} {apart}"
    # As a fraction like the others; a drop of 0 allowed would make every excess infinite.
    return [(text, (drop - target.max_drop - TOLERANCE) / max(target.max_drop, 0.1))]


def _praise(row: Row, reference: float | None, metric: Metric, best: str) -> str:
    value = row.get(DECIDING)
    if reference is None or value is None:
        return "meets the target"
    change = metric.change(reference, value)
    return f"meets the target: {change} of validation {metric.title} against {best}"


def _rank(row: Row, metric: Metric) -> float:
    value = row.get(DECIDING)
    if value is None:
        return -math.inf
    return metric.rank(value)


def slowness(latency: float, throughput: float, limited: bool) -> float:
    """What the fastest has least of, in ms: latency alone if it is `limited`.

    Else its geometric mean with the time that an example takes in a batch.
    """
    if limited:
        return latency
    return math.sqrt(latency * 1e3 / throughput)


def _slowness(row: Row, target: Target) -> float:
    return slowness(row["latency_ms"]["median"], row["throughput"], target.max_latency is not None)
