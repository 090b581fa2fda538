"""The losses of the steps that nobody has waited for yet; a device works ahead meanwhile."""

from __future__ import annotations

import time
from typing import Any

from allotrope.training.speed import Clock

STEPS_BETWEEN_LOOKS = 16
"""How many steps run before their losses are waited for."""
SECONDS_BETWEEN_LOOKS = 0.5
SMOOTHING = 0.1


class Window:
    """Losses since the last look, how many looks there were, and the smoothed time of a step.

    The first look is after the first step, which may compile: its time is forgotten by the second.
    """

    def __init__(
        self, seconds_between: float = SECONDS_BETWEEN_LOOKS, clock: Clock = time.monotonic
    ) -> None:
        """`seconds_between`: how long losses may wait."""
        self.looks = 0
        self.seconds_per_step = 0.0
        self._waiting: list[Any] = []
        self._between, self._clock = seconds_between, clock
        self._began = clock()

    def __len__(self) -> int:
        """How many losses wait."""
        return len(self._waiting)

    def add(self, loss: Any) -> None:
        """The loss of one more step, not waited for."""
        self._waiting.append(loss)

    @property
    def is_due(self) -> bool:
        """Whether to look now: after each of the first two steps, then after many or some time."""
        waits = self._clock() - self._began > self._between
        return self.looks < 2 or len(self) >= STEPS_BETWEEN_LOOKS or waits

    def look(self) -> tuple[list[float], float]:
        """Wait for all losses: these, and the seconds since `begin`."""
        losses = [float(loss) for loss in self._waiting]
        seconds = self._clock() - self._began
        self._waiting = []
        self.looks += 1
        newest = seconds / len(losses)
        if self.looks > 2:
            newest = self.seconds_per_step + SMOOTHING * (newest - self.seconds_per_step)
        self.seconds_per_step = newest
        return losses, seconds

    def begin(self) -> None:
        """From now on time is that of steps: what came before was something else."""
        self._began = self._clock()
