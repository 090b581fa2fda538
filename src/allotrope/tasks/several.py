"""All tasks of a network together: one loss, scores by name, and the one task that decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.config import Recipe
from allotrope.errors import DataError, UsageError, unknown_name
from allotrope.network.network import Network
from allotrope.tasks.contract import Task
from allotrope.tasks.uncertainty import NAME as LOG_VARIANCES
from allotrope.tasks.uncertainty import uncertain, without_log_variances

Columns = Mapping[str, np.ndarray]
"""Labels, or outputs, by the name of their task."""
Scores = dict[str, dict[str, float]]

LEARNED = "learned"
"""The way of weighting tasks that learns what each counts."""


class JointLoss:
    """loss(p, outputs, targets, weights): the sum over tasks, each by its fixed or learned weight."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Begin with tasks that know their recipe."""
        self.tasks = tuple(tasks)

    def __call__(
        self, p: Any, outputs: Mapping[str, Any], targets: Mapping[str, Any], weights: Mapping[str, Any]
    ) -> Any:
        """A scalar. One task alone, of weight 1, is its own loss to the bit."""
        losses = [self._counted(p, task, outputs, targets, weights) for task in self.tasks]
        if LOG_VARIANCES in outputs:
            return uncertain(p, losses, outputs)
        total = losses[0]
        for loss in losses[1:]:
            total = p.add(total, loss)
        return total

    @staticmethod
    def _counted(
        p: Any,
        task: Task,
        outputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        weights: Mapping[str, Any],
    ) -> Any:
        loss = task.loss(p, outputs[task.name], targets[task.name], weights.get(task.name))
        return loss if task.weight == 1 else p.multiply(loss, task.weight)


def trained_by(tasks: Sequence[Task], recipe: Recipe, labels: Columns) -> tuple[Task, ...]:
    """The tasks with what the recipe and the training labels decide of their losses.

    Raises: UsageError if the recipe names a loss that none of them knows.
    """
    known = sorted({loss for task in tasks for loss in task.losses})
    for loss in recipe.loss.split(","):
        if loss not in known and loss != Recipe().loss:
            raise unknown_name("loss for these tasks", loss, known)
    return tuple(task.trained_by(recipe, labels[task.name]) for task in tasks)


def encoded(tasks: Sequence[Task], labels: Columns) -> tuple[dict[str, Any], dict[str, Any]]:
    """Targets by task, and weights of those tasks of which labels are missing."""
    targets, weights = {}, {}
    for task in tasks:
        targets[task.name], weight = task.encode(labels[task.name])
        if weight is not None:
            weights[task.name] = weight
    return targets, weights


def scores(tasks: Sequence[Task], outputs: Columns, labels: Columns) -> Scores:
    """The scores of each task, by name."""
    return {task.name: task.scores(outputs[task.name], labels[task.name]) for task in tasks}


def finished(tasks: Sequence[Task], network: Network) -> Network:
    """The network that is delivered: it answers each task in the user's terms."""
    network = without_log_variances(network)
    for task in tasks:
        network = task.finish(network)
    return network


def decisive(tasks: Sequence[Task], asked: str | None) -> tuple[tuple[Task, ...], str]:
    """The tasks with the one that decides in front, and why it does, in a line if there are several.

    Raises: UsageError for a name that no task has.
    """
    names = [task.name for task in tasks]
    if asked is not None and asked not in names:
        raise unknown_name("task", asked, names)
    first = next(task for task in tasks if asked is None or task.name == asked)
    others = [task for task in tasks if task.name != first.name]
    if not others:
        return (first,), ""
    why = "it was asked for" if asked else "it is the first; --decide NAME says otherwise"
    line = f"'{first.name}' decides, by {first.metric.title}, of {', '.join(names)}: {why}."
    return (first, *others), line


def task_weights(tasks: Sequence[Task], asked: Mapping[str, float]) -> tuple[Task, ...]:
    """The tasks, counting what is asked for. Raises: UsageError for unknown names, weights below 0."""
    names = [task.name for task in tasks]
    for name in asked:
        if name not in names:
            raise unknown_name("task", name, names)
    wrong = {name: weight for name, weight in asked.items() if not 0 < weight < float("inf")}
    if wrong:
        listed = ", ".join(f"{name}={weight:g}" for name, weight in wrong.items())
        raise UsageError(f"weights of tasks must be above 0 and finite, found {listed}.")
    return tuple(replace(task, weight=asked.get(task.name, task.weight)) for task in tasks)


def check_labels(tasks: Sequence[Task], inputs: Sequence[str], splits: Mapping[str, Columns]) -> None:
    """Raises: DataError that lists every task that cannot be learned, or judged, from these labels."""
    problems = [
        f"'{task.name}' is an input too, so that its answer is given"
        for task in tasks
        if task.name in inputs
    ]
    for task in tasks:
        for split, columns in splits.items():
            problems += task.problems(split, columns[task.name])
    if problems:
        raise DataError(
            f"these tasks cannot be learned: {'; '.join(problems)}. "
            "Mend the labels, or name other targets."
        )
