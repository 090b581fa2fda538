"""Validates a training: when, with which scores, and whether its weights are the best so far."""

from __future__ import annotations

import math
import time

from allotrope.errors import TrainingError
from allotrope.tasks.several import columns, deciding, scores
from allotrope.training.evaluate import in_batches
from allotrope.training.schedules import plateaus
from allotrope.training.state import Row
from allotrope.training.underway import Underway
from allotrope.training.watch import Watch

SHARE_BETWEEN = 0.1
"""With a budget: the part of the training after which it is validated, if an epoch is longer."""


class Validation:
    """The network of a training on its validation data, again and again."""

    def __init__(self, underway: Underway, watch: Watch) -> None:
        """Nothing is validated yet."""
        self._underway, self._watch = underway, watch

    @property
    def is_due(self) -> bool:
        """At the end of an epoch, in long epochs within a budget sooner, if it affords that."""
        underway = self._underway
        since = underway.pace.progress - underway.state.evaluated_at
        late = underway.recipe.budget is not None and since >= SHARE_BETWEEN
        return (underway.ends_an_epoch or late) and underway.pace.affords_evaluation()

    @property
    def plateaus(self) -> int:
        """How often the training stood still, as its schedule counts; 0 for others."""
        recipe, history = self._underway.recipe, self._underway.state.history
        if recipe.schedule != "plateau":
            return 0
        return plateaus(map(self._worth, history), recipe.plateau_patience)

    def validate(self, anew: bool = False) -> None:
        """A row more for the history, unless this step has one.

        `anew`: also then, as the weights are others. Raises: TrainingError.
        """
        state = self._underway.state
        if not anew and state.history and state.history[-1]["step"] == state.step:
            return
        # Losses belong to the row of the steps before, and their time is not a validation's.
        self._watch.look()
        reached = self._scores()
        if not math.isfinite(reached["loss"]):
            if state.step == 0:
                return  # what it was before does not count then
            raise TrainingError(
                f"the validation loss is {reached['loss']} after step {state.step}. "
                f"Lower the learning rate. {self._underway.what_is_left()}"
            )
        self._enter(reached)
        self._watch.begin()

    def _scores(self) -> dict[str, float]:
        underway = self._underway
        started = time.monotonic()
        data = underway.data
        outputs = in_batches(underway.answers, data.taken("validation"), data.inputs)
        by_task = scores(underway.tasks, outputs, data.validation.columns)
        underway.pace.evaluated(time.monotonic() - started)
        return columns(underway.tasks, by_task)

    def _enter(self, reached: dict[str, float]) -> None:
        underway, pace = self._underway, self._underway.pace
        row = underway.state.enter(
            reached, self._standing, underway.epoch, pace.elapsed, underway.rate, pace.progress
        )
        if underway.state.best is row:
            underway.best_weights = underway.trainer.weights()
        underway.show.epoch(row)

    def _standing(self, row: Row) -> tuple[float, float]:
        """What orders rows of the history: what they are worth; or how late they are."""
        if self._underway.recipe.selection == "last":
            return float(row["step"]), 0.0
        return self._worth(row)

    def _worth(self, row: Row) -> tuple[float, float]:
        """The metric that decides; if equal, the lower loss."""
        tasks = self._underway.tasks
        metric = row[f"validation_{deciding(tasks)}"]
        return tasks[0].metric.rank(metric), -row["validation_loss"]
