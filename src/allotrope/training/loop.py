"""The one training loop, in plain Python, for every framework: batches, schedule, budget, validation, checkpoints, early stop."""

from __future__ import annotations

import json
import math
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.data.batches import Batches
from allotrope.data.examples import Data
from allotrope.errors import RunFolderError, TrainingError, UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch
from allotrope.network.network import Network
from allotrope.progress import Progress, Tick
from allotrope.tasks.several import columns, deciding, scores, trained_by
from allotrope.training.checkpoints import BEST, Checkpoint, Checkpoints
from allotrope.training.evaluate import in_batches
from allotrope.training.interruption import Interruption
from allotrope.training.pace import Pace
from allotrope.training.plan import plan_for
from allotrope.training.schedules import learning_rate
from allotrope.training.state import Row, State
from allotrope.training.window import STEPS_BETWEEN_LOOKS, Window

SECONDS_BETWEEN_TICKS = 0.1
SAVING_RARITY = 50
"""At the end of an epoch a checkpoint is written if that takes at most a fiftieth of the time since the last one."""


@dataclass(frozen=True)
class Trained:
    """What a training gave: the network with its best weights, and how it came to them.

    `history`: a row a validation; `best`: the row of the best one. `seconds` include validation, `examples_per_second` counts
    training steps only. `stopped`: `finished`, `budget`, `early stop` or `interrupted`.
    """

    network: Network
    history: list[Row]
    best: Row
    seconds: float
    examples_per_second: float
    stopped: str
    steps: int
    epochs: float


def train(
    network: Network,
    data: Data,
    recipe: Recipe,
    settings: Settings,
    framework: str = "pytorch",
    folder: Path | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 30.0,
    has_learned: bool = False,
) -> Trained:
    """Train `network` (raw inputs in, a raw output for each task) and give it back with the weights that were best on the validation data.

    One that `has_learned` before is validated before its first step too, as epoch 0: if no later
    epoch is better, it is given back as it came.

    Checkpoints go to `folder`/checkpoints, at the latest `checkpoint_seconds` apart; None writes none. With `resume` the
    training goes on from the newest one: to the same bits on a CPU with one thread, if the recipe has no budget.

    Raises: UsageError, TrainingError for a loss that is not a number, RunFolderError.
    """
    if recipe.epochs is None and recipe.budget is None:
        raise UsageError("the recipe says neither how many epochs to train nor within what budget; set one of the two.")
    show = progress or Progress()
    training = _Training(
        network, data, recipe, settings, framework, folder, show, checkpoint_seconds, has_learned
    )
    if resume:
        training.resume()
    return training.run()


class _Training:
    """One call of `train`."""

    def __init__(
        self,
        network: Network,
        data: Data,
        recipe: Recipe,
        settings: Settings,
        framework: str,
        folder: Path | None,
        progress: Progress,
        checkpoint_seconds: float,
        has_learned: bool,
    ) -> None:
        self.network, self.data, self.recipe, self.show = network, data, recipe, progress
        self.checkpoints = None if folder is None else Checkpoints(folder / "checkpoints")
        self.checkpoint_seconds = checkpoint_seconds
        self.tasks = trained_by(data.tasks, recipe, data.train.columns)
        self.batches = Batches(data, recipe)
        self.pace = self._new_pace()
        plan = plan_for(network, recipe, data.tasks, data.train.columns)
        self.trainer = find_framework(framework).trainer(network, plan, settings)
        self.state = State()
        self.has_learned = has_learned
        self.best_weights: dict[str, np.ndarray] = {}
        self.best_is_saved = True
        self.rate = self.saving_cost = 0.0
        self.window = Window()
        self.saved = time.monotonic()
        self.shown = -math.inf

    def _new_pace(self, elapsed: float = 0.0, progress: float = 0.0) -> Pace:
        epochs = self.recipe.epochs
        steps = None if epochs is None else max(1, round(epochs * self.batches.steps_per_epoch))
        return Pace(steps, self.recipe.budget, elapsed=elapsed, progress=progress)

    # --- from start to end

    def run(self) -> Trained:
        """Train until the end, Ctrl-C included."""
        with Interruption() as interruption:
            try:
                if self.has_learned and not self.state.history:
                    self._evaluate()
                stopped = self._train(interruption)
                if stopped != "interrupted" or not self._has_gained():
                    self._evaluate()
            except TrainingError:
                self._save_best()
                raise
            self._save()
        return self._trained(stopped)

    def _has_gained(self) -> bool:
        """Whether some validation gave weights that are better than those of the start."""
        return self.state.best is not None and self.state.best["step"] > 0

    def _train(self, interruption: Interruption) -> str:
        """Steps and validations until there is a reason to stop, which is returned."""
        while True:
            epoch, start = divmod(self.state.step, self.batches.steps_per_epoch)
            with closing(self.batches.epoch(epoch, start)) as batches:
                reason = self._reason_to_stop(interruption)
                while reason is None:
                    batch = next(batches, None)
                    if batch is None:
                        break
                    self._step(batch)
                    self._after_step()
                    reason = self._reason_to_stop(interruption)
            if reason is not None:
                self._look()
                return reason

    def _step(self, batch: Batch) -> None:
        self.rate = learning_rate(self.recipe, self.pace.advance(self.state.step))
        self.state.step += 1
        self.window.add(self.trainer.step(batch, self.rate, self.state.step))

    def _after_step(self) -> None:
        if self.window.is_due:
            self._look()
        if self._evaluation_is_due():
            self._evaluate()
        if self._save_is_due():
            self._save()

    def _reason_to_stop(self, interruption: Interruption) -> str | None:
        if interruption.requested:
            return "interrupted"
        if self.recipe.patience is not None and self.state.without_improvement >= self.recipe.patience:
            return "early stop"
        return self.pace.stopped(self.state.step, self.window.seconds_per_step)

    def _trained(self, stopped: str) -> Trained:
        state = self.state
        assert state.best is not None
        return Trained(
            network=self.network.with_weights(self.best_weights),
            history=state.history,
            best=state.best,
            seconds=self.pace.elapsed,
            examples_per_second=state.images / state.training_seconds if state.training_seconds else 0.0,
            stopped=stopped,
            steps=state.step,
            epochs=state.step / self.batches.steps_per_epoch,
        )

    # --- looking at the losses

    def _look(self) -> None:
        """Wait for the losses since the last look; the first step, which may compile, tells no speed."""
        if not len(self.window):
            return
        losses, seconds = self.window.look()
        self._check(losses)
        self.state.losses += losses
        if self.window.looks == 1:
            self.pace.first_step_done()
        else:
            self.state.images += len(losses) * self.batches.batch_size
            self.state.training_seconds += seconds
            self._foresee()
            self._show()
        self.window.begin()

    def _check(self, losses: list[float]) -> None:
        for index, value in enumerate(losses):
            if not math.isfinite(value):
                raise TrainingError(self._not_a_number(value, self.state.step - len(losses) + index + 1))

    def _not_a_number(self, value: float, step: int) -> str:
        epoch = (step - 1) / self.batches.steps_per_epoch
        return (
            f"the loss is {value} at step {step} (epoch {epoch:.2f}, learning rate {self.rate:.3g}): a finite number was expected. "
            f"Lower the learning rate, lengthen the warm-up or set clip_norm. {self._what_is_kept()}"
        )

    def _what_is_kept(self) -> str:
        if self.state.best is None:
            return "No validation had been made yet, so there are no best weights to keep."
        where = "" if self.checkpoints is None else f" in {self.checkpoints.folder / BEST}"
        return f"The best weights, of epoch {self.state.best['epoch']:.2f}, are kept{where}."

    def _foresee(self) -> None:
        """Until a validation is timed, its time: half of what its examples would take in training."""
        if not self.state.history:
            per_example = self.window.seconds_per_step / self.batches.batch_size
            self.pace.evaluation = 0.5 * per_example * len(self.data.validation)

    def _show(self) -> None:
        now = time.monotonic()
        if now - self.shown < SECONDS_BETWEEN_TICKS:
            return
        self.shown = now
        self.show.step(
            Tick(
                fraction=self.pace.progress,
                epoch=self.state.step / self.batches.steps_per_epoch,
                loss=float(np.mean(self.state.losses[-STEPS_BETWEEN_LOOKS:])),
                examples_per_second=self.batches.batch_size / self.window.seconds_per_step,
                seconds_left=self.pace.seconds_left(self.state.step, self.window.seconds_per_step),
            )
        )

    # --- validation

    def _evaluation_is_due(self) -> bool:
        """At the end of an epoch, and in long epochs at each tenth of a budget, if the budget affords it."""
        ended = self.state.step % self.batches.steps_per_epoch == 0
        tenth = self.recipe.budget is not None and self.pace.progress - self.state.evaluated_at >= 0.1
        return (ended or tenth) and self.pace.affords_evaluation()

    def _evaluate(self) -> None:
        state = self.state
        if state.history and state.history[-1]["step"] == state.step:
            return
        self._look()
        started = time.monotonic()
        outputs = in_batches(self.trainer.evaluate, self.data.taken("validation"))
        found = columns(
            self.tasks, scores(self.tasks, outputs, self.data.validation.columns)
        )
        self.pace.evaluated(time.monotonic() - started)
        if not math.isfinite(found["loss"]):
            if state.step == 0:
                return  # what it was before does not count then
            raise TrainingError(
                f"the validation loss is {found['loss']} after step {state.step}. Lower the learning rate. {self._what_is_kept()}"
            )
        self._record(found)
        self.window.begin()

    def _record(self, found: dict[str, float]) -> None:
        row = self.state.enter(
            found,
            self._standing,
            self.batches.steps_per_epoch,
            self.pace.elapsed,
            self.rate,
            self.pace.progress,
        )
        if self.state.best is row:
            self.best_weights, self.best_is_saved = self.trainer.weights(), False
        self.show.epoch(row)

    def _standing(self, row: Row) -> tuple[float, float]:
        """What orders rows of the history: the metric that decides; if equal, the lower loss."""
        metric = row[f"validation_{deciding(self.tasks)}"]
        return self.tasks[0].metric.rank(metric), -row["validation_loss"]

    # --- checkpoints

    def _save_is_due(self) -> bool:
        if self.checkpoints is None:
            return False
        ended = self.state.step % self.batches.steps_per_epoch == 0
        patience = min(self.checkpoint_seconds, SAVING_RARITY * self.saving_cost) if ended else self.checkpoint_seconds
        return time.monotonic() - self.saved >= patience

    def _save(self) -> None:
        self._look()
        if self.checkpoints is None:
            return
        started = time.monotonic()
        self._save_best()
        self.checkpoints.save_last(Checkpoint(self.trainer.state(), self._as_record()))
        self.saved = time.monotonic()
        self.window.begin()
        self.saving_cost = self.saved - started

    def _save_best(self) -> None:
        if self.checkpoints is not None and not self.best_is_saved:
            self.checkpoints.save_best(Checkpoint(self.best_weights, {"best": self.state.best}))
            self.best_is_saved = True

    def _as_record(self) -> dict[str, Any]:
        pace = {
            "elapsed": self.pace.elapsed,
            "progress": self.pace.progress,
            "evaluating": self.pace.evaluating,
            "evaluation": self.pace.evaluation,
        }
        return {"state": asdict(self.state), "pace": pace, "recipe": asdict(self.recipe)}

    def resume(self) -> None:
        """Take up the newest sound checkpoint. Raises: RunFolderError if there is none, UsageError if it is of another recipe."""
        found = None if self.checkpoints is None else self.checkpoints.last(self.show.say)
        if self.checkpoints is None or found is None:
            where = "no run folder was given" if self.checkpoints is None else f"there is no checkpoint in {self.checkpoints.folder}"
            raise RunFolderError(f"nothing to resume: {where}. Leave out resume to start anew.")
        self._check_recipe(found.record["recipe"])
        self.trainer.load_state(found.arrays)
        self.state = State(**found.record["state"])
        saved = found.record["pace"]
        self.pace = self._new_pace(saved["elapsed"], saved["progress"])
        self.pace.evaluating, self.pace.evaluation = saved["evaluating"], saved["evaluation"]
        self._take_up_best(self.checkpoints)

    def _take_up_best(self, checkpoints: Checkpoints) -> None:
        best = checkpoints.best(self.show.say)
        self.state.best = None if best is None else best.record["best"]
        self.best_weights = {} if best is None else best.arrays

    def _check_recipe(self, recorded: dict[str, Any]) -> None:
        now, usual = (json.loads(json.dumps(asdict(each))) for each in (self.recipe, Recipe()))
        # What a recipe has learned to say since the checkpoint was written was as usual then.
        before = usual | recorded
        different = [
            f"{name} was {before[name]!r} and is now {value!r}"
            for name, value in now.items()
            if before[name] != value
        ]
        if different:
            raise UsageError(f"a training is resumed with the recipe that it was begun with; {'; '.join(different)}.")
