"""Saves a training in checkpoints, and takes it up again from the newest one."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from allotrope.config import Recipe
from allotrope.errors import RunFolderError, UsageError
from allotrope.run_words import in_examples
from allotrope.training.checkpoints import Checkpoint, Checkpoints
from allotrope.training.state import Row, State
from allotrope.training.tail_mean import PREFIX
from allotrope.training.underway import Intervals, Underway
from allotrope.training.watch import Watch

SAVING_RARITY = 50
"""At the end of an epoch a checkpoint is written that takes at most this part of the time since."""


class Saving:
    """The checkpoints of a training."""

    def __init__(self, underway: Underway, watch: Watch, intervals: Intervals) -> None:
        """Nothing is saved yet."""
        self._underway, self._watch = underway, watch
        self._patience = intervals.checkpoints
        self._cost = 0.0
        self._saved = time.monotonic()
        self._best_saved: Row | None = None

    @property
    def is_due(self) -> bool:
        """When work has been unsaved for long; at the end of an epoch sooner, if it is cheap."""
        if self._underway.checkpoints is None:
            return False
        patience = self._patience
        if self._underway.ends_an_epoch:
            patience = min(patience, SAVING_RARITY * self._cost)
        return time.monotonic() - self._saved >= patience

    def save(self) -> None:
        """Everything that a resumed training needs. Raises: RunFolderError, TrainingError."""
        # A loss that is no number is an error before the weights it spoiled are saved.
        self._watch.look()
        checkpoints = self._underway.checkpoints
        if checkpoints is None:
            return
        started = time.monotonic()
        # The best first: a kill in between leaves a `last` that makes the same best again.
        self.save_best()
        arrays = self._underway.saved_state()
        if self._underway.tail is not None:
            arrays |= self._underway.tail.arrays()
        checkpoints.save_last(Checkpoint(arrays, self._record()))
        self._saved = time.monotonic()
        self._watch.begin()
        self._cost = self._saved - started

    def save_best(self) -> None:
        """The best weights, if they are newer than those that were saved."""
        best, checkpoints = self._underway.state.best, self._underway.checkpoints
        if checkpoints is not None and best is not self._best_saved:
            checkpoints.save_best(Checkpoint(self._underway.best_weights, {"best": best}))
            self._best_saved = best

    def _record(self) -> dict[str, Any]:
        pace = {
            "elapsed": self._underway.pace.elapsed,
            "progress": self._underway.pace.progress,
            "evaluating": self._underway.pace.evaluating,
            "evaluation": self._underway.pace.evaluation,
        }
        state, recipe = asdict(self._underway.state), asdict(self._underway.recipe)
        return {"state": state, "pace": pace, "recipe": recipe}

    def resume(self) -> None:
        """Take up the newest sound checkpoint.

        Raises: RunFolderError if there is none, UsageError if it is of another recipe.
        """
        underway, checkpoints = self._underway, self._underway.checkpoints
        if checkpoints is None:
            raise _nothing_to_resume("no run folder was given")
        last = checkpoints.last(underway.show.say)
        if last is None:
            raise _nothing_to_resume(f"there is no checkpoint in {checkpoints.folder}")
        _check_recipe(underway.recipe, last.record["recipe"])
        underway.state = State(**in_examples(last.record["state"]))
        trained = {name: x for name, x in last.arrays.items() if not name.startswith(PREFIX)}
        underway.load_state(trained)
        if underway.tail is not None:
            underway.tail.restore(last.arrays, underway.state.averaged)
        saved = last.record["pace"]
        underway.pace = underway.pace_from(saved["elapsed"], saved["progress"])
        underway.pace.evaluating = saved["evaluating"]
        underway.pace.evaluation = saved["evaluation"]
        self._take_up_best(checkpoints)

    def _take_up_best(self, checkpoints: Checkpoints) -> None:
        best = checkpoints.best(self._underway.show.say)
        if best is None:
            row, weights = None, {}
        else:
            row, weights = in_examples(best.record["best"]), best.arrays
        self._underway.state.best = self._best_saved = row
        self._underway.best_weights = weights


def _nothing_to_resume(reason: str) -> RunFolderError:
    return RunFolderError(f"nothing to resume: {reason}. Leave out resume to start anew.")


def _check_recipe(recipe: Recipe, recorded: dict[str, Any]) -> None:
    # Through JSON as the recorded one, which makes lists of tuples.
    now, usual = (json.loads(json.dumps(asdict(each))) for each in (recipe, Recipe()))
    # What a recipe has learned to say since the checkpoint was written was as usual then.
    before = usual | recorded
    different = [
        f"{name} was {before[name]!r} and is now {value!r}"
        for name, value in now.items()
        if before[name] != value
    ]
    if different:
        raise UsageError(
            f"a training is resumed with the recipe that it was begun with; {'; '.join(different)}."
        )
