"""What a trained network says of examples without labels, and the data with that to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from allotrope.data.examples import UNLABELLED, Data, Examples
from allotrope.data.unlabelled import joined
from allotrope.frameworks.contract import Arrays
from allotrope.tasks import Task
from allotrope.tasks.contract import Answers, Encoded
from allotrope.training.greedy_selection import Standing, standing
from allotrope.training.pseudo_labels import PseudoLabels, as_taught, class_shares, pseudo_labels
from allotrope.verbs.pipeline.ensemble_values import in_views, mirror_axes
from allotrope.verbs.pipeline.outcome import TrainedPlan, outputs

STREAM = 13
"""Tells the draw of unlabelled examples from others of the same seed."""


@dataclass(frozen=True)
class Teacher:
    """A trained network that is asked about examples as they are, and mirrored if that is alike.

    Its answers are calibrated on the held-out labels: what counts by its confidence has to be
    honest about it.
    """

    trained: TrainedPlan

    @property
    def data(self) -> Data:
        """The data with the labels that there are."""
        return self.trained.plan.data

    @cached_property
    def task(self) -> Task:
        """The task, settled on held-out labels."""
        task, labels = self.trained.plan.tasks[0], self.data.validation
        return task.settled(outputs(self.trained, "validation")[task.name], labels[task.name])

    @cached_property
    def alone(self) -> Answers:
        """Its answers [n, k] to held-out examples as they are, as the delivered file answers."""
        return self.task.answers(outputs(self.trained, "validation")[self.task.name])

    @cached_property
    def held_out(self) -> Answers:
        """The same of both views."""
        return self.answers(self.data.validation)

    @property
    def standing(self) -> Standing:
        """What it answers alone is worth: metric and loss, as the data judges all networks."""
        task = self.data.tasks[0]
        return standing(task, self.alone, self.data.validation[task.name])

    def answers(self, examples: Examples) -> Answers:
        """The mean answer [n, k] to examples as they are and mirrored, if that means the same."""
        network, name = self.trained.network, self.task.name

        def answer(inputs: Arrays) -> dict[str, Answers]:
            raw = network.run(inputs, framework=self.trained.plan.framework)
            return {name: self.task.answers(raw[name])}

        axes = mirror_axes(self.data, self.trained)
        return in_views(answer, self.data.inputs, examples, axes)[name]

    def pseudo_labels(self, examples: Examples) -> PseudoLabels:
        """Soft labels of examples without any, classes as often as the labels say."""
        shares = class_shares(self.data.train[self.task.name], self.task.size)
        return pseudo_labels(self.answers(examples), shares)


def with_unlabelled(data: Data, unlabelled: Examples | None = None) -> Data:
    """The data with unlabelled examples, by default all, behind those to learn from."""
    train = joined(data.train, data.splits[UNLABELLED] if unlabelled is None else unlabelled)
    return replace(data, splits={**data.splits, "train": train})


def taught_by(teacher: Teacher, unlabelled: Examples) -> tuple[Data, PseudoLabels]:
    """The data with these examples, by what the teacher says of them."""
    data, task = teacher.data, teacher.trained.plan.tasks[0]
    soft = teacher.pseudo_labels(unlabelled)
    labels = as_taught(task.encode(data.train[task.name]), soft)
    taught: Mapping[str, Encoded] = {task.name: labels}
    return replace(with_unlabelled(data, unlabelled), taught=taught), soft


def drawn(data: Data, count: int, seed: int, number: int) -> Examples:
    """So many of the unlabelled examples, others for each stage; all, if there are no more."""
    unlabelled = data.splits[UNLABELLED]
    if count >= len(unlabelled):
        return unlabelled
    stream = np.random.default_rng([seed, STREAM, number])
    return unlabelled.take(np.sort(stream.permutation(len(unlabelled))[:count]))
