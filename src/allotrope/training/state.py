"""What a training knows of its past beside its trainer's arrays: all goes into checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Row = dict[str, Any]


@dataclass
class State:
    """`losses` are those since the last validation.

    `examples` and `training_seconds` leave out the first step and validations.

    `evaluated_at` is the progress of the last validation, `without_improvement` how many there were
    since the best. `averaged` is how many weights of the tail are in their mean, -1 once it is
    validated.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    best: Row | None = None
    without_improvement: int = 0
    evaluated_at: float = 0.0
    averaged: int = 0
    examples: int = 0
    training_seconds: float = 0.0
    examples_before: int = 0
    seconds_before: float = 0.0

    def enter(
        self,
        scores: dict[str, float],
        standing: Callable[[Row], tuple[float, float]],
        epoch: float,
        elapsed: float,
        rate: float,
        progress: float,
    ) -> Row:
        """The new row of the history, also `best` if it stands higher than the best so far."""
        row: Row = {
            "epoch": epoch,
            "step": self.step,
            "seconds": elapsed,
            "learning_rate": rate,
            "loss": float(np.mean(self.losses)) if self.losses else None,
            **{f"validation_{name}": value for name, value in scores.items()},
            "examples_per_second": self._recent_speed(),
        }
        self.history.append(row)
        self.losses, self.evaluated_at = [], progress
        self.examples_before, self.seconds_before = self.examples, self.training_seconds
        improved = self.best is None or standing(row) > standing(self.best)
        self.best = row if improved else self.best
        self.without_improvement = 0 if improved else self.without_improvement + 1
        return row

    @property
    def speed(self) -> float:
        """Examples a second in training steps; 0 if too few were made to tell."""
        return _quotient(self.examples, self.training_seconds)

    def _recent_speed(self) -> float | None:
        """The same since the last validation, or the beginning if few steps were timed since.

        None if no step was.
        """
        seconds = self.training_seconds - self.seconds_before
        if not seconds:
            return self.speed or None
        return _quotient(self.examples - self.examples_before, seconds)


def _quotient(examples: int, seconds: float) -> float:
    return examples / seconds if seconds else 0.0
