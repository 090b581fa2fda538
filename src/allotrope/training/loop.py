"""The one training loop, in plain Python, for every framework: steps until a reason to stop."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from allotrope.config import Recipe, Settings
from allotrope.data.examples import Data
from allotrope.errors import TrainingError, UsageError
from allotrope.frameworks.contract import Batch
from allotrope.network.network import Network
from allotrope.process.group import ProcessGroup
from allotrope.progress import Progress
from allotrope.training.interruption import Interruption
from allotrope.training.saving import Saving
from allotrope.training.schedules import learning_rate
from allotrope.training.state import Row
from allotrope.training.tail_mean import put_in
from allotrope.training.teach import Teaching
from allotrope.training.underway import Intervals, Underway
from allotrope.training.validation import Validation
from allotrope.training.watch import Watch


@dataclass(frozen=True)
class Trained:
    """What a training gave: the network with its best weights, and how it came to them.

    `history`: a row a validation; `best`: the row of the best one. `seconds` include validation,
    `examples_per_second` counts training steps only. `stopped`: `finished`, `budget`, `early stop`
    or `interrupted`.
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
    has_learned: bool = False,
    intervals: Intervals | None = None,
    teaching: Teaching | None = None,
    group: ProcessGroup | None = None,
) -> Trained:
    """Train `network` and give it back with the weights that were best on the validation data.

    It takes raw inputs and gives a raw output for each task. One that `has_learned` before is
    validated before its first step too, as epoch 0: if no later epoch is better, it is given back
    as it came.

    Checkpoints go to `folder`/checkpoints; None writes none. With `resume` the training goes on
    from the newest one: to the same bits on a CPU with one thread, if the recipe has no budget.

    `teaching` is asked before each step for what to learn from. The processes of a `group` make
    the steps, each with its rows of the same batches.

    Raises: UsageError, TrainingError for a loss that is not a number, RunFolderError.
    """
    if recipe.epochs is None and recipe.budget is None:
        raise UsageError(
            "the recipe says neither how many epochs to train nor within what budget; "
            "set one of the two."
        )
    show = progress or Progress()
    underway = Underway(network, data, recipe, settings, framework, folder, show, teaching, group)
    training = _Training(underway, intervals or Intervals(), has_learned)
    if resume:
        training.saving.resume()
    stopped = training.run()
    return _trained(network, underway, stopped)


def _trained(network: Network, underway: Underway, stopped: str) -> Trained:
    state = underway.state
    assert state.best is not None
    return Trained(
        network=network.with_weights(underway.best_weights),
        history=state.history,
        best=state.best,
        seconds=underway.pace.elapsed,
        examples_per_second=state.speed,
        stopped=stopped,
        steps=state.step,
        epochs=underway.epoch,
    )


class _Training:
    """Steps, and between them looks at the losses, validations and checkpoints."""

    def __init__(self, underway: Underway, intervals: Intervals, has_learned: bool) -> None:
        self.underway, self.has_learned = underway, has_learned
        self.watch = Watch(underway, intervals)
        self.validation = Validation(underway, self.watch)
        self.saving = Saving(underway, self.watch, intervals)

    def run(self) -> str:
        """Train until the end, Ctrl-C included, and say why it stopped."""
        with Interruption() as interruption:
            try:
                if self.has_learned and not self.underway.state.history:
                    self.validation.validate()
                stopped = self._train(interruption)
                # Ctrl-C wants an end: one more validation only if there is nothing to give back.
                if stopped != "interrupted" or not self._has_gained():
                    self.validation.validate()
                if stopped != "interrupted":
                    self._average_the_tail()
            except TrainingError:
                self.saving.save_best()
                raise
            self.saving.save()
        return stopped

    def _average_the_tail(self) -> None:
        """Validates the mean of the last weights, once: it is delivered if it is the best."""
        underway = self.underway
        if underway.tail is None or underway.state.averaged < 1:
            return
        mean = underway.tail.network(underway.form, underway.batches, underway.framework)
        put_in(underway.trainer, mean)
        count, underway.state.averaged = underway.state.averaged, -1
        self.validation.validate(anew=True)
        better = underway.state.best is underway.state.history[-1]
        underway.show.say(
            f"the mean of the weights at {count} places of the last quarter (SWA) is "
            + ("the best on validation data: it is kept" if better else "not better: it is left")
        )

    def _take_for_the_tail(self) -> None:
        """The weights as they are, if the mean of the last ones is to have them."""
        underway = self.underway
        if underway.tail is not None and underway.tail.is_due(underway.pace.progress):
            underway.tail.take(underway.trainer.weights())
            underway.state.averaged = underway.tail.count

    def _has_gained(self) -> bool:
        """Whether some validation gave weights that are better than those of the start."""
        best = self.underway.state.best
        return best is not None and best["step"] > 0

    def _train(self, interruption: Interruption) -> str:
        """Steps and validations until there is a reason to stop, which is returned."""
        batches = self.underway.batches
        reason: str | None = None
        while reason is None:
            epoch, start = divmod(self.underway.state.step, batches.steps_per_epoch)
            # A thread makes batches ahead; it ends however the steps end.
            with closing(batches.epoch(epoch, start)) as ahead:
                reason = self._reason_to_stop(interruption)
                while reason is None:
                    batch = next(ahead, None)
                    if batch is None:
                        break
                    self._step(batch)
                    reason = self._reason_to_stop(interruption)
        self.watch.look()
        return reason

    def _step(self, batch: Batch) -> None:
        """A step, and what is due after it."""
        underway = self.underway
        progress = underway.pace.advance(underway.state.step)
        underway.rate = learning_rate(underway.recipe, progress, self.validation.plateaus)
        underway.state.step += 1
        # The loss is not waited for: the device works on while the next batch is made.
        self.watch.step(underway.taught(batch))
        self.watch.look_if_due()
        self._take_for_the_tail()
        if self.validation.is_due:
            self.validation.validate()
        if self.saving.is_due:
            self.saving.save()

    def _reason_to_stop(self, interruption: Interruption) -> str | None:
        state, patience = self.underway.state, self.underway.recipe.patience
        if interruption.requested:
            return "interrupted"
        if patience is not None and state.without_improvement >= patience:
            return "early stop"
        return self.underway.pace.stopped(state.step, self.watch.seconds_per_step)
