"""What a network minimizes that learns from labels and from what a teacher answers.

Hinton, Vinyals and Dean 2015 (https://arxiv.org/abs/1503.02531): the weighted mean of two losses,
that of the labels and that of the teacher's answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.frameworks.contract import Loss
from allotrope.tasks import Task
from allotrope.tasks.contract import Answers
from allotrope.tasks.members import OutputLoss
from allotrope.tasks.several import joint_loss, loss_over

TAUGHT = ":taught"
"""Behind the name of a task: the targets that a teacher gives for it."""
SHARE = 0.9
"""What the teacher's answers count; the labels count the rest."""


def taught_targets(tasks: Sequence[Task], answers: Mapping[str, Answers]) -> dict[str, np.ndarray]:
    """The targets that say what a teacher answers, raw and by task: float32 [n, size] each."""
    return {f"{task.name}{TAUGHT}": task.taught(answers[task.name]) for task in tasks}


def distilled_loss(tasks: Sequence[Task], share: float = SHARE) -> Loss:
    """(1 - share) of the loss of the labels, and `share` of that of the teacher's answers.

    A task of which an example has no label is taught by the teacher all the same.
    """
    of_labels = joint_loss(tasks)
    of_teacher = loss_over(
        {task.name: _from_teacher(task) for task in tasks},
        {task.name: task.weight for task in tasks},
    )

    def compute(p: Any, outputs: Any, targets: Any, weights: Any) -> Any:
        labels = {name: x for name, x in targets.items() if not name.endswith(TAUGHT)}
        taught = {name: targets[f"{name}{TAUGHT}"] for name in labels}
        of_both = (
            p.multiply(of_labels(p, outputs, labels, weights), 1 - share),
            p.multiply(of_teacher(p, outputs, taught, {}), share),
        )
        return p.add(*of_both)

    return compute


def _from_teacher(task: Task) -> OutputLoss:
    """The task's loss of a teacher's answers, which every example has."""

    def loss(p: Any, output: Any, target: Any, weight: Any | None) -> Any:
        return task.loss_of_taught(p, output, target)

    return loss
