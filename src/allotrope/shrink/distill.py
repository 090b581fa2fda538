"""Distillation: a network learns from labels and from what a larger one answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from allotrope.config import Recipe, Settings
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch
from allotrope.network.network import Network
from allotrope.network.rewriting.blending import OTHER, with_blending
from allotrope.tasks import Task
from allotrope.tasks.distilled import SHARE, distilled_loss, taught_targets
from allotrope.tasks.several import joint_loss
from allotrope.training.plan import training_plan
from allotrope.training.teach import Answer, Teaching

WITHOUT_SLOTS = Recipe(optimizer="sgd", weight_decay=0.0)
"""A teacher makes no step: of all optimizers this one remembers least."""


def distillation(
    teacher: Network,
    tasks: Sequence[Task],
    framework: str,
    settings: Settings,
    share: float = SHARE,
    within: Sequence[str] = (),
) -> Teaching:
    """Targets from a teacher with an output of raw answers for each task, by its name.

    It is asked about the very examples that are learned from, augmented and mixed: what a mixed
    example is, it says of the mixture. `within` are the inputs that batches leave to the network
    to mix (`Mixing.within`).

    Raises: UsageError for tasks that the teacher does not answer, or not in as many numbers.
    """
    _check(teacher, tasks)
    if within:
        teacher = with_blending(teacher, within)
    plan = training_plan(teacher, WITHOUT_SLOTS, joint_loss(tasks))
    answers = find_framework(framework).trainer(teacher, plan, settings).evaluate

    def teach(batch: Batch, answer: Answer) -> Batch:
        if OTHER in batch.inputs and not within:
            raise UsageError("a teacher of mixed examples has to be told which of them it mixes.")
        taught = taught_targets(tasks, answers(batch.inputs))
        return replace(batch, targets={**batch.targets, **taught})

    return Teaching(teach, partial(distilled_loss, share=share))


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
