"""Which candidates meet a target, and which of those is the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from allotrope.config import Target

Row = dict[str, Any]
TOLERANCE = 1e-9
"""Points of accuracy: a drop of exactly what is allowed passes, whatever its last bit says."""
AS_FAST = 1.05
"""Within five hundredths two speeds are one: medians of a machine in use repeat no better, and accuracy is worth more."""


def judge(rows: Sequence[Row], target: Target) -> list[Row]:
    """The rows, each with `passes` and the `reason` in words.

    The drop is counted from the float32 accuracy on validation data. The baseline is judged but never delivered.
    """
    reference = float32_accuracy(rows)
    judged = []
    for row in rows:
        if "latency_ms" not in row:
            judged.append({**row, "passes": False})
            continue
        misses = [text for text, excess in _misses(row, reference, target) if excess > 0]
        judged.append({**row, "passes": not misses, "reason": "; ".join(misses) or _praise(row, reference)})
    return judged


def choose(rows: Sequence[Row], target: Target) -> Row | None:
    """The fastest that passes, None where none does.

    Fastest is the lowest latency at batch 1 where the target limits it, else the lowest geometric mean of the time for one
    image alone and the time for one image in a batch, so that neither use is bought with the other. Of those that are as fast
    (`AS_FAST`), the most accurate on validation data; of equals, the smaller file.
    """
    passing = [row for row in rows if row["passes"] and not row.get("baseline")]
    fastest = min((_slowness(row, target) for row in passing), default=0.0)
    as_fast = [row for row in passing if _slowness(row, target) <= AS_FAST * fastest]
    return min(as_fast, key=lambda row: (-(row.get("validation_accuracy") or 0.0), row["size_bytes"], _slowness(row, target)), default=None)


def nearest_miss(rows: Sequence[Row], target: Target) -> Row | None:
    """The candidate that exceeds its limits by the smallest factor, the worst limit counting; None where none was measured."""
    reference = float32_accuracy(rows)
    measured = [row for row in rows if "latency_ms" in row and not row.get("baseline")]
    return min(measured, key=lambda row: max((excess for _, excess in _misses(row, reference, target)), default=0.0), default=None)


def float32_accuracy(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The best validation accuracy among the float32 candidates, which compute the same and differ by rounding only."""
    found = [row["validation_accuracy"] for row in rows if row["precision"] == "float32" and row.get("validation_accuracy") is not None]
    return max(found, default=None)


def _misses(row: Row, reference: float | None, target: Target) -> list[tuple[str, float]]:
    """Each limit in words with the excess over it as a fraction of it; at or below 0 the limit is met."""
    found = []
    latency, size = row["latency_ms"]["median"], row["size_bytes"]
    if target.max_latency is not None:
        found.append((f"latency {latency:.3g} ms is over {target.max_latency:g} ms", latency / target.max_latency - 1))
    if target.max_size is not None:
        found.append((f"size {size:,} bytes is over {target.max_size:,} bytes", size / target.max_size - 1))
    if reference is not None and row.get("validation_accuracy") is not None:
        drop = 100 * (reference - row["validation_accuracy"])
        text = f"validation accuracy {row['validation_accuracy']:.2%} is {drop:.2f} points under float32, {target.max_drop:g} allowed"
        found.append((text, (drop - target.max_drop - TOLERANCE) / max(target.max_drop, 0.1)))
    return found


def _praise(row: Row, reference: float | None) -> str:
    if reference is None or row.get("validation_accuracy") is None:
        return "meets the target"
    return f"meets the target: {100 * (row['validation_accuracy'] - reference):+.2f} points of validation accuracy against float32"


def slowness(latency: float, throughput: float, limited: bool) -> float:
    """What the fastest has least of, in ms: latency alone where it is `limited`, else its geometric mean with a batch's time an image."""
    return latency if limited else math.sqrt(latency * 1e3 / throughput)


def _slowness(row: Row, target: Target) -> float:
    return slowness(row["latency_ms"]["median"], row["throughput"], target.max_latency is not None)
