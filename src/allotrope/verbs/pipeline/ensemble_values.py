"""The values of an ensemble: trained members with what they answer, and what they are as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from allotrope.data.examples import Data, Examples
from allotrope.frameworks.contract import Arrays
from allotrope.inputs.augmentation import augmentation_of
from allotrope.inputs.contract import Input
from allotrope.tasks import Task
from allotrope.tasks.contract import Answers
from allotrope.training.combining import Combination
from allotrope.training.evaluate import in_batches
from allotrope.verbs.pipeline.outcome import TrainedPlan, outputs
from allotrope.verbs.pipeline.rivals import Rival

SPLITS = ("validation", "test")
ByTask = Mapping[str, Answers]
BySplit = Mapping[str, ByTask]
"""What is answered to each split."""


@dataclass(frozen=True)
class Member:
    """A trained network with what it answers: in the user's terms, by split and task.

    `tasks` have what was settled on its own validation answers. `mirrored` is what it answers to
    mirrored examples, if these mean the same.
    """

    number: int
    trained: TrainedPlan
    tasks: tuple[Task, ...]
    answers: BySplit
    mirrored: BySplit | None = None

    def with_mirror(self, split: str) -> ByTask:
        """The mean of both answers."""
        assert self.mirrored is not None
        first, second = self.answers[split], self.mirrored[split]
        return {name: (first[name] + second[name]) / 2 for name in first}


@dataclass(frozen=True)
class Ensemble:
    """All members, how their answers are combined, and what may be delivered of that.

    `alone` is the one network that stands for itself, `facts` are for the record.
    """

    members: tuple[Member, ...]
    combination: Combination
    alone: Member
    rivals: tuple[Rival, ...]
    facts: dict[str, Any]


def mirror_axes(data: Data, trained: TrainedPlan) -> dict[str, int]:
    """The axes along which inputs are mirrored, if training mirrored examples; else none."""
    if not augmentation_of(trained.plan.recipe).flip:
        return {}
    axes = {each.name: each.mirror_axis for each in data.inputs}
    return {name: axis for name, axis in axes.items() if axis is not None}


def member_of(number: int, trained: TrainedPlan, axes: Mapping[str, int]) -> Member:
    """The trained network with its answers to validation and test data."""
    data = trained.plan.data
    raw = {split: outputs(trained, split) for split in SPLITS}
    labels = data.validation.columns
    tasks = tuple(
        task.settled(raw["validation"][task.name], labels[task.name]) for task in trained.plan.tasks
    )
    answers = {split: _answered(tasks, raw[split]) for split in SPLITS}
    if not axes:
        return Member(number, trained, tasks, answers)
    # Raw examples are turned, as the file does it: pre-processing comes behind.
    turn = partial(turned, axes=axes)
    mirrored = {split: _answered(tasks, outputs(trained, split, turn)) for split in SPLITS}
    return Member(number, trained, tasks, answers, mirrored)


def _answered(tasks: Sequence[Task], raw: Arrays) -> dict[str, Answers]:
    return {task.name: task.answers(raw[task.name]) for task in tasks}


def turned(inputs: Arrays, axes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Inputs [n, …] mirrored."""
    turned = {name: np.flip(inputs[name], axis) for name, axis in axes.items()}
    return {**inputs, **turned}


def in_views(
    answer: Callable[[Arrays], Mapping[str, Answers]],
    inputs: Sequence[Input],
    examples: Examples,
    axes: Mapping[str, int],
) -> dict[str, Answers]:
    """The mean of what is answered to examples as they are and, if there are axes, mirrored."""
    columns = {each.name: examples[each.name] for each in inputs}
    views = [in_batches(answer, columns, inputs)]
    if axes:
        views.append(in_batches(lambda batch: answer(turned(batch, axes)), columns, inputs))
    return {name: np.asarray(np.mean([view[name] for view in views], axis=0)) for name in views[0]}
