"""What the parts of one training share while it goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.data.batches import Batches
from allotrope.data.examples import Data
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Arrays, Batch, Trainer
from allotrope.network.network import Network
from allotrope.process.group import ProcessGroup
from allotrope.progress import Progress
from allotrope.tasks.agreeing_halves import doubled
from allotrope.tasks.several import trained_by
from allotrope.training.checkpoints import BEST, Checkpoints
from allotrope.training.learner import trainer_for, training_form, unmixed
from allotrope.training.pace import Pace
from allotrope.training.processes.asked_training import AskedTraining
from allotrope.training.processes.checked import check_together
from allotrope.training.processes.group_trainer import GroupTrainer
from allotrope.training.state import State
from allotrope.training.tail_mean import TailMean
from allotrope.training.teach import Teaching
from allotrope.training.window import SECONDS_BETWEEN_LOOKS

TEACHER = "teacher/"
"""In front of what a checkpoint holds of a teacher."""


@dataclass(frozen=True)
class Intervals:
    """Seconds: how long losses may wait, what is shown stays, and work may be unsaved."""

    looks: float = SECONDS_BETWEEN_LOOKS
    ticks: float = 0.1
    checkpoints: float = 30.0


class Underway:
    """A training that is under way: who learns what from which batches, and how far it is.

    `rate` is the learning rate of the last step, `best_weights` are those of the best validation.
    `form` is the network in the form that trains.
    `tail` is the mean of the last weights, if the recipe asks for it.
    """

    def __init__(
        self,
        network: Network,
        data: Data,
        recipe: Recipe,
        settings: Settings,
        framework: str,
        folder: Path | None,
        show: Progress,
        teaching: Teaching | None = None,
        group: ProcessGroup | None = None,
    ) -> None:
        """Nothing is learned yet. Without a `folder` there are no checkpoints.

        The processes of a `group` compute, or else this one.
        """
        self.data, self.recipe, self.show = data, recipe, show
        self.checkpoints = None if folder is None else Checkpoints(folder / "checkpoints")
        self.tasks = trained_by(data.tasks, recipe, data.train.columns)
        self.batches = Batches(data, recipe, clean=teaching is not None and teaching.clean)
        self.pace = self.pace_from()
        self._teaching = teaching
        self.trainer: Trainer
        if group is None:
            loss = None if teaching is None else teaching.loss(self.tasks)
            trains = find_framework(framework)
            self.trainer = trainer_for(trains, network, data, recipe, settings, loss)
        else:
            check_together(group.size, self.batches.batch_size, data, recipe, teaching)
            asked = AskedTraining(network, data, recipe, settings, framework)
            self.trainer = GroupTrainer(group, asked)
        self.state = State()
        self.rate = 0.0
        self.best_weights: dict[str, np.ndarray] = {}
        self.form, self.framework = training_form(network, data, recipe), framework
        self.tail = TailMean() if recipe.swa else None

    def pace_from(self, elapsed: float = 0.0, progress: float = 0.0) -> Pace:
        """The clock of a training that has already come so far."""
        steps = None
        if self.recipe.epochs is not None:
            steps = max(1, round(self.recipe.epochs * self.batches.steps_per_epoch))
        # Of the mean of the tail there are statistics and a validation more.
        last = 3 if self.recipe.swa else 1
        return Pace(steps, self.recipe.budget, elapsed=elapsed, progress=progress, last=last)

    def taught(self, batch: Batch) -> Batch:
        """The batch as the teacher gives it, if there is one; twice if halves are to agree."""
        if self._teaching is not None:
            batch = self._teaching.teach(batch, self.trainer.evaluate)
        return doubled(batch) if self.recipe.r_drop else batch

    def saved_state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on: of the trainer, and of the teacher."""
        memory = {} if self._teaching is None else self._teaching.memory
        taught = {f"{TEACHER}{name}": array for name, array in memory.items()}
        return {**self.trainer.state(), **taught}

    def load_state(self, state: Arrays) -> None:
        """Go on from what `saved_state` gave. Raises: TrainingError."""
        of_teacher = {name for name in state if name.startswith(TEACHER)}
        self.trainer.load_state({name: state[name] for name in state.keys() - of_teacher})
        if self._teaching is not None:
            for name in of_teacher:
                self._teaching.memory[name.removeprefix(TEACHER)] = state[name]

    def answers(self, inputs: Arrays) -> Arrays:
        """What the network that learns answers now to examples as they are."""
        return self.trainer.evaluate(unmixed(self.data, self.recipe, inputs))

    @property
    def epoch(self) -> float:
        """How many times the training data was gone through."""
        return self.state.step / self.batches.steps_per_epoch

    @property
    def ends_an_epoch(self) -> bool:
        """Whether the last step was the last one of an epoch."""
        return self.state.step % self.batches.steps_per_epoch == 0

    def what_is_left(self) -> str:
        """What a training that fails leaves behind, in a sentence."""
        best = self.state.best
        if best is None:
            return "No validation had been made yet, so there are no best weights to keep."
        place = ""
        if self.checkpoints is not None:
            place = f" in {self.checkpoints.folder / BEST}"
        return f"The best weights, of epoch {best['epoch']:.2f}, are kept{place}."
