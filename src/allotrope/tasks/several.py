"""All tasks of a network together: one loss, scores by name, and the one task that decides."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.config import Recipe
from allotrope.errors import DataError, UsageError, unknown_name
from allotrope.frameworks.contract import Loss
from allotrope.network.zoo.tabular import MEMBERS
from allotrope.tasks import KINDS, Task
from allotrope.tasks.embedding_head import EMBEDDING
from allotrope.tasks.embedding_losses import EMBEDDING_LOSSES, SHARES
from allotrope.tasks.means import missing
from allotrope.tasks.members import OutputLoss, loss_of_members
from allotrope.tasks.metric import ACCURACY
from allotrope.tasks.uncertainty import NAME as LOG_VARIANCES
from allotrope.tasks.uncertainty import uncertain

Columns = Mapping[str, np.ndarray]
"""Labels, or outputs, by the name of their task."""
Scores = dict[str, dict[str, float]]

FIXED, LEARNED = "fixed", "learned"
"""The ways of weighting tasks: all alike, or as is learned."""


def loss_over(
    losses: Mapping[str, OutputLoss],
    shares: Mapping[str, float] | None = None,
    embedded: Mapping[str, str] | None = None,
) -> Loss:
    """The sum of the losses of outputs by name, each as often as `shares` says, by default once.

    `embedded` names what is minimized of an output's embedding too, if the network gives one.

    A network that has log-variances among its outputs has them weigh the losses; one with several
    members has the loss of each. One loss alone is itself, to the bit.
    """

    def compute(p: Any, outputs: Any, targets: Any, weights: Any) -> Any:
        parts = []
        for name, of_output in losses.items():
            members = outputs.get(f"{name}{MEMBERS}")
            if members is None:
                part = of_output(p, outputs[name], targets[name], weights.get(name))
            else:
                part = loss_of_members(p, of_output, members, targets[name], weights.get(name))
            embedding = outputs.get(f"{name}{EMBEDDING}")
            kind = (embedded or {}).get(name)
            if embedding is not None and kind is not None:
                embedding = p.cast(embedding, p.dtype(targets[name]))
                own = EMBEDDING_LOSSES[kind](p, embedding, targets[name], weights.get(name))
                part = p.add(part, p.multiply(own, SHARES[kind]))
            share = (shares or {}).get(name, 1.0)
            parts.append(part if share == 1 else p.multiply(part, share))
        if LOG_VARIANCES in outputs:
            return uncertain(p, parts, outputs)
        return functools.reduce(p.add, parts)

    return compute


def joint_loss(tasks: Sequence[Task]) -> Loss:
    """What tasks that know their recipe minimize together."""
    return loss_over(
        {task.name: task.loss for task in tasks},
        {task.name: task.weight for task in tasks},
        {task.name: task.minimized for task in tasks if task.minimized in EMBEDDING_LOSSES},
    )


def trained_by(tasks: Sequence[Task], recipe: Recipe, labels: Columns) -> tuple[Task, ...]:
    """The tasks with what the recipe and the training labels decide of their losses.

    Raises: UsageError if the recipe names a loss that none of them knows or that fits none, or
        other tasks.
    """
    known = sorted({loss for task in tasks for loss in task.losses})
    for loss in recipe.loss.split(","):
        if loss not in known and loss != Recipe().loss:
            raise _misfit(loss, tasks, known)
        misfits = [task.misfit(loss) for task in tasks if loss in task.losses]
        if misfits and all(misfits):
            raise UsageError(" ".join(misfits))
    weighted = task_weights(tasks, recipe.task_weights)
    return tuple(task.trained_by(recipe, labels[task.name]) for task in weighted)


def _misfit(loss: str, tasks: Sequence[Task], known: list[str]) -> UsageError:
    """That none of the tasks has this loss: which kind it is for, and what these take."""
    kinds = [kind for kind, of in KINDS.items() if loss in of.losses]
    if not kinds:
        return unknown_name("loss for these tasks", loss, known)
    takes = "; ".join(
        f"'{task.name}' ({task.kind}) takes {', '.join(task.losses)}" for task in tasks
    )
    return UsageError(f"loss {loss} is for {' and '.join(kinds)}, and {takes}.")


def gappy(tasks: Sequence[Task], labels: Columns) -> frozenset[str]:
    """The tasks of which labels are missing."""
    return frozenset(task.name for task in tasks if missing(labels[task.name]).any())


def encoded(
    tasks: Sequence[Task], labels: Columns, gaps: Collection[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Targets by task, and weights of the tasks in `gaps`.

    These have weights even if none of `labels` is missing, because a framework may compile a step
    for the columns that it is given.
    """
    targets, weights = {}, {}
    for task in tasks:
        targets[task.name], weight = task.encode(labels[task.name])
        if task.name in gaps:
            ones = np.ones(missing(labels[task.name]).shape, np.float32)
            weights[task.name] = ones if weight is None else weight
    return targets, weights


def scores(tasks: Sequence[Task], outputs: Columns, labels: Columns) -> Scores:
    """The scores of each task, by name."""
    return {task.name: task.scores(outputs[task.name], labels[task.name]) for task in tasks}


def columns(tasks: Sequence[Task], scores: Scores) -> dict[str, float]:
    """The scores as the columns of a history: those of a single task by their names alone.

    Of several each has its task in front, and `loss` is their sum. `metric` is what decides, unless
    that is the accuracy of a single classification.
    """
    first = tasks[0]
    decided = scores[first.name][first.metric.name]
    if len(tasks) == 1:
        own = scores[first.name]
        return dict(own) if _by_accuracy(tasks) else {"metric": decided, **own}
    each = {f"{name}_{key}": value for name, of in scores.items() for key, value in of.items()}
    total = sum(task.weight * scores[task.name]["loss"] for task in tasks)
    return {"metric": decided, "loss": total, **each}


def deciding(tasks: Sequence[Task]) -> str:
    """The column of what decides."""
    return ACCURACY.name if _by_accuracy(tasks) else "metric"


def _by_accuracy(tasks: Sequence[Task]) -> bool:
    return is_classification(tasks) and tasks[0].metric == ACCURACY


def is_classification(tasks: Sequence[Task]) -> bool:
    """Whether there is one task, a classification, whose scores a record has without its name."""
    return [task.kind for task in tasks] == ["classification"]


def decisive(tasks: Sequence[Task], asked: str | None) -> tuple[tuple[Task, ...], str]:
    """The tasks, the deciding one in front, and why it does, in a line if there are several.

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


METRICS = tuple(dict.fromkeys(metric.name for kind in KINDS.values() for metric in kind.metrics))
"""The names of all metrics, of whatever kind of task."""


def with_metrics(tasks: Sequence[Task], asked: Mapping[str, str]) -> tuple[Task, ...]:
    """The tasks, each by the metric that is asked for.

    Raises: UsageError for tasks that there are not, and metrics that do not fit; all in one
    message.
    """
    names = [task.name for task in tasks]
    problems = [str(unknown_name("task", name, names)) for name in asked if name not in names]
    changed = []
    for task in tasks:
        try:
            changed.append(task.decided_by(asked[task.name]) if task.name in asked else task)
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError(f"--metric: {' '.join(problems)}")
    return tuple(changed)


def task_weights(tasks: Sequence[Task], asked: str) -> tuple[Task, ...]:
    """The tasks, counting as asked: `fixed`, `learned`, or NAME=NUMBER with commas between.

    Raises: UsageError for unknown tasks, and numbers that are not above 0; all in one message.
    """
    if asked in (FIXED, LEARNED):
        return tuple(tasks)
    names = [task.name for task in tasks]
    weights, problems = {}, []
    for part in asked.split(","):
        name, _, number = part.rpartition("=")
        weight = _number(number)
        if name not in names:
            problems.append(f"'{part}' names no task of {', '.join(names)}")
        elif weight is None:
            problems.append(f"'{number}' of '{name}' is no finite number above 0")
        else:
            weights[name] = weight
    if problems:
        raise UsageError(
            f"task weights: {'; '.join(problems)}. Expected {FIXED}, {LEARNED}, or NAME=NUMBER."
        )
    return tuple(replace(task, weight=weights.get(task.name, task.weight)) for task in tasks)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def check_labels(
    tasks: Sequence[Task], inputs: Sequence[str], splits: Mapping[str, Columns]
) -> None:
    """Raises: DataError listing each task that these labels cannot teach or judge."""
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
