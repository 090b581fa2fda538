"""One setting in the race of settings: its steps, how long they take, whether it agrees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from allotrope.config import Settings
from allotrope.frameworks.contract import Batch, Trainer
from allotrope.training.speed import Clock, one_step, timed_step

AGREEMENT_STEPS = 3
"""How many losses are compared with those of the defaults."""


@dataclass
class Entrant:
    """One setting in the race. `times`: seconds a step, one entry a round."""

    settings: Settings
    trainer: Trainer | None = None
    times: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    difference: float | None = None
    compile_seconds: float = 0.0
    reason: str = ""
    agrees: bool = False
    running: bool = True

    @property
    def median(self) -> float:
        """Seconds a step; infinite before anything was timed."""
        return float(np.median(self.times)) if self.times else math.inf

    def leave(self, reason: str) -> None:
        """Out of the race."""
        self.running, self.reason, self.trainer = False, reason, None

    def first_steps(self, trainer: Trainer, batch: Batch, rate: float, clock: Clock) -> None:
        """Steps on one batch from the same start as all; the first one may compile."""
        self.trainer = trainer
        seconds = []
        for step in range(1, AGREEMENT_STEPS + 1):
            started = clock()
            self.losses.append(one_step(trainer, batch, rate, step))
            seconds.append(clock() - started)
        # The first step may compile, and the second still warm up.
        self.times.append(min(seconds[1:]))
        if self.settings.compiled:
            self.compile_seconds = max(seconds[0] - self.times[0], 0.0)

    def compare(self, defaults: Sequence[float]) -> None:
        """Out, unless its losses agree with those of the `defaults`."""
        self.difference, self.agrees = agreement(self.losses, defaults)
        if not self.agrees:
            self.leave("its loss does not agree with that of the defaults")

    def timed_round(self, samples: Sequence[Batch], rate: float, clock: Clock) -> None:
        """One more step, on the next of the batches."""
        assert self.trainer is not None
        step = AGREEMENT_STEPS + len(self.times)
        batch = samples[step % len(samples)]
        self.times.append(timed_step(self.trainer, batch, rate, step, clock))


def agreement(losses: Sequence[float], expected: Sequence[float]) -> tuple[float, bool]:
    """The largest relative difference between two courses of the loss; whether they count as one.

    They may differ by 2 % of the loss, as rounding to bfloat16 does, and by a quarter of what the
    steps so far have changed: a setting whose steps do not learn as the defaults' do does not
    agree.
    """
    if not np.isfinite(losses).all():
        return math.inf, False
    course, wanted = np.asarray(losses), np.asarray(expected)
    difference = np.abs(course - wanted)
    allowed = 0.02 * np.abs(wanted) + 0.25 * np.abs(wanted - wanted[0])
    relative = difference / np.maximum(np.abs(wanted), 1e-6)
    return float(relative.max()), bool((difference <= allowed).all())
