"""What a network takes before its first step: latency and size need no training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Target
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.measure.candidates import Candidate, Split, calibrating, measure
from allotrope.network.network import Network
from allotrope.tasks import Task
from allotrope.verbs.pipeline.planning import Among
from allotrope.verbs.pipeline.written_network import write_finished

FEW = 64
"""Examples with which a network is timed whose answers do not count yet."""
SLOW_TO_MAKE = ("nncf",)
"""Forms whose files take longer to make than a short training; the delivery tries them all."""
NOISE = 0.01
LATENCY_MARGIN, SIZE_MARGIN = 0.9, 0.98
"""The part of a limit that an untrained file may take: clocks are noisy, and trained weights are
quantized with scales of their own."""


@dataclass(frozen=True)
class UntrainedCosts:
    """Milliseconds and bytes of a network in the form that is nearest to the limits."""

    latency_ms: float
    size_bytes: float
    runtime: str
    precision: str

    def beyond(self, target: Target) -> dict[str, float]:
        """By how much each limit is missed, in logarithms of ratios: 0 and less is within."""
        return _beyond(self.latency_ms, self.size_bytes, target)

    def why_not(self, target: Target) -> str:
        """What the network takes that is not trained, and why it is not."""
        slow = target.max_latency is not None and self.latency_ms > target.max_latency
        large = target.max_size is not None and self.size_bytes > target.max_size
        why = "within the limits by less than clocks and trained weights may change"
        if slow or large:
            why = "not within the limits"
        return f"{self.latency_ms:.3g} ms, {self.size_bytes / 1e3:,.0f} kB: {why}, not trained"


def untrained_costs(
    network: Network,
    data: Data,
    tasks: Sequence[Task],
    folder: Path,
    target: Target,
    threads: int | None,
    among: Among,
) -> UntrainedCosts:
    """Measures a network with raw answers in the forms that could be delivered.

    Files are made in `folder`. Raises: UsageError if none can be measured.
    """
    write_finished(unlike_arrays(network), data.inputs, tasks, folder)
    few = {name: x[: min(FEW, len(x))] for name, x in data.taken("validation").items()}
    calibration = calibrating(data.taken("train"))
    # What it answers does not count: nothing was learned yet.
    splits = {"validation": Split(few, lambda answers: 0.0)}
    forms = _forms(among.candidates, folder, target)
    rows = measure(forms, calibration, splits, threads, turns=among.turns)
    measured = [row for row in rows if "latency_ms" in row]
    if not measured:
        reasons = "; ".join(f"{row['runtime']}: {row.get('reason')}" for row in rows)
        raise UsageError(f"the network could not be measured: {reasons}")
    return _of_row(min(measured, key=lambda row: _distance(row, target)))


def unlike_arrays(network: Network) -> Network:
    """The network with a little noise on its weights.

    A file holds equal arrays once, and many are equal before training and never after.
    """
    rng = np.random.default_rng(0)
    # Upwards alone, so that a variance stays one.
    noisy = {
        name: (array + rng.uniform(0, NOISE, array.shape)).astype(array.dtype)
        for name, array in network.weights.items()
        if np.issubdtype(array.dtype, np.floating)
    }
    return network.with_weights({**network.weights, **noisy})


def _forms(
    candidates: Callable[[Path], list[Candidate]], folder: Path, target: Target
) -> list[Candidate]:
    """The forms that may meet the limits; without limits one, for the chart."""
    every = candidates(folder)
    own = [one for one in every if not one.baseline and one.form not in SLOW_TO_MAKE] or every
    if target.max_latency is None and target.max_size is None:
        return own[:1]
    return own


def _of_row(row: Mapping[str, Any]) -> UntrainedCosts:
    latency = row["latency_ms"]["median"]
    return UntrainedCosts(latency, row["size_bytes"], row["runtime"], row["precision"])


def _distance(row: Mapping[str, Any], target: Target) -> tuple[float, float]:
    """How far beyond the limits, and among those within how slow."""
    costs = _of_row(row)
    excess = max(costs.beyond(target).values(), default=0.0)
    return max(excess, 0.0), costs.latency_ms


def _beyond(latency: float, size: float, target: Target) -> dict[str, float]:
    beyond = {}
    if target.max_latency is not None:
        beyond["latency"] = math.log(latency / (LATENCY_MARGIN * target.max_latency))
    if target.max_size is not None:
        beyond["size"] = math.log(size / (SIZE_MARGIN * target.max_size))
    return beyond
