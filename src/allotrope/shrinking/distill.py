"""Distillation: a network learns from labels and from what a larger one answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Arrays, Batch
from allotrope.network.network import Network
from allotrope.tasks import Task
from allotrope.tasks.distilled import SHARE, distilled_loss, taught_targets
from allotrope.training.learner import trainer_for
from allotrope.training.teach import Answer, Teaching

Answers = Callable[[Arrays], Mapping[str, np.ndarray]]
"""Gives all outputs of a network by name."""


def distillation(
    teacher: Network,
    data: Data,
    recipe: Recipe,
    framework: str,
    settings: Settings,
    share: float = SHARE,
    answers: Answers | None = None,
) -> Teaching:
    """Targets from a teacher with an output of raw answers for each of the data's tasks, by name.

    It is asked about the very examples that are learned from by the recipe, augmented and mixed:
    what a mixed example is, it says of the mixture. `answers` gives its outputs for such inputs; by
    default the framework does.

    Raises: UsageError for tasks that the teacher does not answer, or not in as many numbers.
    """
    tasks = data.tasks
    _check(teacher, tasks)
    asked = answers or answers_in(framework, teacher, data, recipe, settings)

    def teach(batch: Batch, answer: Answer) -> Batch:
        taught = taught_targets(tasks, asked(batch.inputs))
        return replace(batch, targets={**batch.targets, **taught})

    return Teaching(teach, partial(distilled_loss, share=share))


def answers_in(
    framework: str, teacher: Network, data: Data, recipe: Recipe, settings: Settings
) -> Answers:
    """What a network answers in a framework that trains."""
    # A teacher makes no step: of all optimizers this one remembers least.
    forgetful = replace(recipe, optimizer="sgd", average=None)
    return trainer_for(find_framework(framework), teacher, data, forgetful, settings).evaluate


def _check(teacher: Network, tasks: Sequence[Task]) -> None:
    sizes = {value.name: (value.shape or ())[-1:] for value in teacher.outputs}
    wrong = []
    for task in tasks:
        if task.name not in sizes:
            wrong.append(f"no answer to '{task.name}'")
        elif sizes[task.name] not in ((), (task.size,)):
            wrong.append(f"{sizes[task.name][0]} numbers for '{task.name}', expected {task.size}")
    if wrong:
        raise UsageError(
            f"network '{teacher.graph.name}' cannot teach these tasks: it gives "
            f"{', '.join(wrong)}. A teacher is trained on the same classes and columns."
        )
