"""Looks at the losses of the steps: whether they are numbers, and how fast they come."""

from __future__ import annotations

import math
import time

import numpy as np

from allotrope.errors import TrainingError
from allotrope.frameworks.contract import Batch
from allotrope.progress import Tick
from allotrope.training.underway import Intervals, Underway
from allotrope.training.window import STEPS_BETWEEN_LOOKS, Window


class Watch:
    """Waits for the losses of a training now and then, and says how it goes."""

    def __init__(self, underway: Underway, intervals: Intervals) -> None:
        """Nothing has been looked at or shown yet."""
        self._underway, self._between_ticks = underway, intervals.ticks
        self._window = Window(intervals.looks)
        self._shown = -math.inf

    @property
    def seconds_per_step(self) -> float:
        """The smoothed time of a step."""
        return self._window.seconds_per_step

    def step(self, batch: Batch) -> None:
        """One step; its loss is looked at later."""
        underway = self._underway
        loss = underway.trainer.step(batch, underway.rate, underway.state.step)
        self._window.add(loss)

    def look_if_due(self) -> None:
        """Look if losses have waited long enough."""
        if self._window.is_due:
            self.look()

    def look(self) -> None:
        """Wait for all losses since the last look. Raises: TrainingError if one is no number."""
        if not len(self._window):
            return
        losses, seconds = self._window.look()
        self._check(losses)
        self._underway.state.losses += losses
        # The first step, which may compile, tells no speed.
        if self._window.looks == 1:
            self._underway.pace.first_step_done()
        else:
            self._time(len(losses), seconds)
            self._show()
        self.begin()

    def begin(self) -> None:
        """From now on time is that of steps: what came before was something else."""
        self._window.begin()

    def _check(self, losses: list[float]) -> None:
        for index, loss in enumerate(losses):
            if not math.isfinite(loss):
                step = self._underway.state.step - len(losses) + index + 1
                raise TrainingError(self._not_a_number(loss, step))

    def _not_a_number(self, loss: float, step: int) -> str:
        epoch = (step - 1) / self._underway.batches.steps_per_epoch
        place = f"epoch {epoch:.2f}, learning rate {self._underway.rate:.3g}"
        return (
            f"the loss is {loss} at step {step} ({place}): a finite number was expected. Lower the "
            f"learning rate, lengthen the warm-up or set clip_norm. {self._underway.what_is_left()}"
        )

    def _time(self, steps: int, seconds: float) -> None:
        underway = self._underway
        underway.state.examples += steps * underway.batches.batch_size
        underway.state.training_seconds += seconds
        if not underway.state.history:
            # Until a validation is timed: half of what its examples would take in training.
            per_example = self.seconds_per_step / underway.batches.batch_size
            underway.pace.evaluation = 0.5 * per_example * len(underway.data.validation)

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._shown < self._between_ticks:
            return
        self._shown = now
        underway = self._underway
        tick = Tick(
            fraction=underway.pace.progress,
            epoch=underway.epoch,
            loss=float(np.mean(underway.state.losses[-STEPS_BETWEEN_LOOKS:])),
            examples_per_second=underway.batches.batch_size / self.seconds_per_step,
            seconds_left=underway.pace.seconds_left(underway.state.step, self.seconds_per_step),
        )
        underway.show.step(tick)
