"""The last stage of `shrink`: a network whose int8 file loses too much learns to be rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from allotrope.config import Recipe
from allotrope.measure.candidates import calibrating
from allotrope.measure.choice import DECIDING
from allotrope.network.network import Network
from allotrope.shrinking.quantize import QUANTIZERS
from allotrope.shrinking.taught_rounding import with_taught_rounding
from allotrope.tasks.several import deciding
from allotrope.training.checkpoints import resumable
from allotrope.verbs.pipeline.shrunk_values import (
    BEFORE,
    Before,
    Round,
    Row,
    TaughtCut,
    Workbench,
    latency_of,
)

LEARNED = "learned"
"""The form of a file whose rounding was learned in training."""
LEAST = 30.0
"""Seconds of such a training, even if the rounds trained for less than ten times as long."""


@dataclass(frozen=True)
class TaughtRounding:
    """A network of integers with raw answers, in which runtime it is to run, and how it learned.

    Without a network nothing had to be learned.
    """

    network: Network | None = None
    runtime: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def loses_by_rounding(bench: Workbench, before: Before, last: Round | None) -> Row | None:
    """The fastest int8 row that only loses too much, if the float network does not; else None.

    `last`: the newest round; without one it is about the network as it came.
    """
    rows = before.rows if last is None else last.rows
    own = [row for row in rows if "latency_ms" in row and row["form"] != BEFORE]
    if any(row["passes"] for row in own):
        return None
    metric, most = bench.plan.tasks[0].metric, before.target.max_drop
    reference = before.reference[DECIDING]
    value = reference if last is None else _of_training(bench, last.taught)
    if metric.drop(reference, value) > most:
        return None
    lossy = [row for row in own if _is_lossy(row, before, metric.drop(reference, row[DECIDING]))]
    return min(lossy, key=latency_of, default=None)


def _is_lossy(row: Row, before: Before, drop: float) -> bool:
    """Whether it is int8, fast and small enough, and loses too much."""
    target = before.target
    slow = target.max_latency is not None and latency_of(row) > target.max_latency
    large = target.max_size is not None and row["size_bytes"] > target.max_size
    fits = row["precision"] == "int8" and row["form"] in QUANTIZERS and not (slow or large)
    return fits and drop > target.max_drop


def _of_training(bench: Workbench, taught: TaughtCut) -> float:
    """The metric of the float network on validation data, as its training ended."""
    key = f"validation_{deciding(bench.plan.tasks)}"
    best = taught.facts["best_epoch"]
    value: float = next(row[key] for row in taught.history if row["epoch"] == best)
    return value


def taught_rounding(
    bench: Workbench, network: Network, row: Row, recipe: Recipe, folder: Path
) -> TaughtRounding:
    """The network trained further with the rounding of the row's file.

    From the newest checkpoint in `folder`, if there is one.
    """
    plan = bench.plan
    bench.show.say(
        f"{row['runtime']} int8 loses more than is allowed, and float32 does not: "
        "the network learns with its rounding"
    )
    taught = with_taught_rounding(
        network,
        plan.data,
        recipe,
        plan.settings,
        plan.framework,
        calibrating(plan.data.taken("train")),
        QUANTIZERS[row["form"]],
        folder,
        bench.show,
        resume=resumable(folder / "checkpoints"),
    )
    bench.show.close()
    training = taught.training
    facts = {
        "form": row["form"],
        "runtime": row["runtime"],
        "epochs": training.epochs,
        "seconds": training.seconds,
        "history": training.history,
    }
    return TaughtRounding(taught.integers, row["runtime"], facts)


def a_tenth(recipe: Recipe, rounds: Sequence[Round], left: float | None) -> Recipe:
    """How long to learn: a tenth of what the rounds trained, within the time that is left."""
    spent = sum(one.taught.facts["seconds"] for one in rounds)
    if left is None:
        return recipe
    return replace(recipe, budget=min(left, max(spent / 10, LEAST)))
