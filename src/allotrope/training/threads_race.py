"""Whether one thread trains faster than several.

On a machine that others use too, the threads of a step wait for each other: PyTorch with two of
them was seen to train 4 to 15 times slower than with one. Such steps vary strongly from one to the
next, so one thread is tried only if they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from allotrope.config import Settings
from allotrope.frameworks.contract import Batch, Trainer
from allotrope.training.speed import Clock, one_step, timed_step

LOOKED_AT = 5
"""How many steps tell whether steps vary."""
VARYING = 2.0
"""How many times as long as the shortest of them the longest is, if they vary strongly."""
ROUNDS = 5
WORTH_CHANGING = 1.1
"""How much faster one thread must be."""


@dataclass(frozen=True)
class Threads:
    """How many threads to train with, None if that was not raced, and why in a sentence."""

    count: int | None
    reason: str


def race_threads(
    trainer: Trainer,
    other: Callable[[int], Trainer],
    several: int,
    batch: Batch,
    clock: Clock,
) -> Threads:
    """Race one thread against `several`, with which `trainer` trains, if its steps vary strongly.

    `other` makes a trainer with the same settings and another number of threads. No weight moves.
    """
    one_step(trainer, batch, 0.0, 1)
    first = [timed_step(trainer, batch, 0.0, 2 + number, clock) for number in range(LOOKED_AT)]
    if max(first) < VARYING * min(first):
        return Threads(None, "")
    racing = {1: other(1), several: other(several)}
    times: dict[int, list[float]] = {count: [] for count in racing}
    for each in racing.values():
        one_step(each, batch, 0.0, 1)
    for number in range(ROUNDS):
        for count, each in racing.items():
            times[count].append(timed_step(each, batch, 0.0, 2 + number, clock))
    return _judged(first, {count: float(np.median(seconds)) for count, seconds in times.items()})


def with_threads(settings: Settings, threads: Threads) -> Settings:
    """The settings with the number of threads that was raced, if one was."""
    if threads.count is None:
        return settings
    return replace(settings, threads=threads.count)


def _judged(first: list[float], medians: dict[int, float]) -> Threads:
    several = max(medians)
    faster = medians[several] / medians[1]
    if faster >= WORTH_CHANGING:
        chosen = 1
    else:
        chosen = several
    steps = f"The first steps took {1e3 * min(first):.3g} to {1e3 * max(first):.3g} ms"
    return Threads(
        chosen,
        f"{steps}, so threads were raced: one is {faster:.2f} times as fast as {several}, "
        f"and {chosen} {'is' if chosen == 1 else 'are'} used (another number: --threads).",
    )
