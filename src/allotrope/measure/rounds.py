"""Timing several workers fairly: one at a time, in rounds, so that a slow minute falls on all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allotrope.process.worker import WorkerError, WorkerProcess

WARMUP = 3
LEAST_RUNS = {1: 20}
LEAST_RUNS_OF_A_BATCH = 3
SINGLE, BATCH = 1, 64


@dataclass(frozen=True)
class Turns:
    """How many rounds there are, and for how many seconds each has its turn in one."""

    rounds: int = 5
    seconds: float = 0.12


USUAL = Turns()


@dataclass
class Timing:
    """Milliseconds of single runs, a list for each round."""

    rounds: list[list[float]] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Over all runs."""
        return float(np.median(np.concatenate(self.rounds)))

    def figures(self) -> dict[str, float]:
        """Median and p90 of all runs in ms; spread of the rounds' medians, (max - min) / median."""
        medians = [float(np.median(times)) for times in self.rounds]
        # p90 over all runs, since a round has too few for its slowest tenth.
        p90 = float(np.percentile(np.concatenate(self.rounds), 90))
        return {
            "median": self.median,
            "p90": p90,
            "spread": (max(medians) - min(medians)) / self.median,
        }


def time_in_rounds(
    workers: Sequence[WorkerProcess],
    inputs: Mapping[int, str],
    whole: Sequence[bool],
    turns: Turns = USUAL,
) -> list[dict[int, Timing] | str]:
    """For each worker its timings by batch size, or the reason why there are none.

    `inputs` are .npz files by batch size; `whole` says for each worker whether inputs must stay in
    one piece. Every second round goes through the workers backwards, so that none always follows
    the same other.
    """
    results: list[dict[int, Timing] | str] = [{size: Timing() for size in inputs} for _ in workers]
    for number in range(turns.rounds):
        # Who runs after the same other in every round inherits its heat and its caches each time.
        order = list(range(len(workers)))
        for index in order if number % 2 == 0 else reversed(order):
            timings = results[index]
            if isinstance(timings, str):
                continue
            try:
                for size, path in inputs.items():
                    how = {"whole": whole[index], "seconds": turns.seconds}
                    timings[size].rounds.append(_time(workers[index], path, size, **how))
            except WorkerError as error:
                # Its earlier rounds go too: fewer rounds than the others had would not compare.
                results[index] = str(error)
    return results


def measurement(threads: int, turns: Turns = USUAL) -> dict[str, Any]:
    """How the figures were taken, for run.json.

    `load_average` is that of the last minute, by which a busy machine gives itself away.
    """
    how = {"warmup": WARMUP, "batch": BATCH, "interleaved": True, "load_average": load_average()}
    return {
        "threads": threads,
        "rounds": turns.rounds,
        "seconds_per_round": turns.seconds,
        **how,
    }


def load_average() -> float | None:
    """How many processes wanted a core in the last minute; None if the system does not say."""
    if hasattr(os, "getloadavg"):
        return round(os.getloadavg()[0], 2)
    return None


def _time(worker: WorkerProcess, inputs: str, size: int, **how: Any) -> list[float]:
    """Milliseconds of each run; `how` are `whole` and `seconds`."""
    least = LEAST_RUNS.get(size, LEAST_RUNS_OF_A_BATCH)
    asked = {"inputs": inputs, "warmup": WARMUP, "least": least, **how}
    milliseconds: list[float] = worker.ask("time", **asked)["milliseconds"]
    return milliseconds
