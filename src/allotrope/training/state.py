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

    `images` and `training_seconds` leave out the first step and validations.

    `evaluated_at` is the progress of the last validation, `without_improvement` how many there were
    since the best.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    best: Row | None = None
    without_improvement: int = 0
    evaluated_at: float = 0.0
    images: int = 0
    training_seconds: float = 0.0
    images_before: int = 0
    seconds_before: float = 0.0

    def enter(
        self,
        scores: dict[str, float],
        standing: Callable[[Row], tuple[float, float]],
        steps_per_epoch: int,
        elapsed: float,
        rate: float,
        progress: float,
    ) -> Row:
        """The new row of the history, also `best` if it stands higher than the best so far."""
        row: Row = {
            "epoch": self.step / steps_per_epoch,
            "step": self.step,
            "seconds": elapsed,
            "learning_rate": rate,
            "loss": float(np.mean(self.losses)) if self.losses else None,
            **{f"validation_{name}": value for name, value in scores.items()},
            "images_per_second": self._recent_speed(),
        }
        self.history.append(row)
        self.losses, self.evaluated_at = [], progress
        self.images_before, self.seconds_before = self.images, self.training_seconds
        improved = self.best is None or standing(row) > standing(self.best)
        self.best = row if improved else self.best
        self.without_improvement = 0 if improved else self.without_improvement + 1
        return row

    def _recent_speed(self) -> float:
        """Images a second since the last validation, or the beginning if few steps were timed."""
        seconds, images = (
            self.training_seconds - self.seconds_before,
            self.images - self.images_before,
        )
        if not seconds:
            seconds, images = self.training_seconds, self.images
        return images / seconds if seconds else 0.0
