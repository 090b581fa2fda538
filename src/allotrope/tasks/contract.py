"""What a kind of task supplies: targets of labels, what is minimized, how answers are judged."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from allotrope.config import Recipe
from allotrope.errors import unknown_name
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.network import Network
from allotrope.tasks.ending import EndingStep, with_ending, without_ending
from allotrope.tasks.means import missing
from allotrope.tasks.metric import Metric

Labels = NDArray[Any]
"""A column of examples [n, …] as the data holds it: codes of classes, values in units, flags.

What is missing is NaN in floats and below 0 in codes.
"""
Answers = NDArray[np.floating[Any]]
"""What a network gives for a task: [n, size]. Raw in training, behind `finish` in the delivered
file."""


class Encoded(NamedTuple):
    """What a loss compares with: `targets` float32 [n, size].

    `weights` float32 [n], or [n, size] where single numbers may be missing: 0 if an example has no
    such label. None if every example has its label, which counts each once.
    """

    targets: np.ndarray
    weights: np.ndarray | None


@dataclass(frozen=True)
class Explained:
    """An answer that is to be explained: the row of the example, and what run.json says of it.

    `slope` [size] is what of the raw output speaks for the answer.
    """

    index: int
    facts: Mapping[str, Any]
    slope: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Task(abc.ABC):
    """A named column that a network predicts, through its output of the same name.

    `weight` is what the task counts in the sum of several losses. `metric` decides, `minimized` is
    the name of the loss; each kind says which unless another is asked for.
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    """Those that the kind knows, the usual one first."""
    losses: ClassVar[tuple[str, ...]]
    """Those that the kind knows, the usual one first."""
    ballot: ClassVar[str | None] = None
    """The operator that makes a delivered answer one for a single number; None if there is no such.
    """

    name: str
    weight: float = 1.0
    metric: Metric
    minimized: str

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many numbers the network gives for it."""

    def decided_by(self, name: str) -> Self:
        """The task with another metric. Raises: UsageError for one that does not fit."""
        by_name = {metric.name: metric for metric in self.metrics}
        if name not in by_name:
            raise unknown_name(f"metric for {self.kind} '{self.name}'", name, by_name)
        return replace(self, metric=by_name[name])

    def metric_text(self, value: float) -> str:
        """The metric's value for people, in the unit of the labels if it has one."""
        return self.metric.text(value)

    # --- before training

    def counted(self, labels: Labels) -> dict[str, Any]:
        """How often which label occurs, for run.json."""
        gaps = missing(labels).reshape(len(labels), -1)
        known = int(np.count_nonzero(~gaps.all(axis=1)))
        return {"known": known, "missing": len(labels) - known}

    def described(self, labels: Labels) -> str:
        """What training labels are, in a line for people."""
        return ", ".join(f"{count:,} {what}" for what, count in self.counted(labels).items())

    @abc.abstractmethod
    def problems(self, split: str, labels: Labels) -> list[str]:
        """What keeps these labels of a split from being learned from or judged by, in words."""

    def takes(self, losses: str) -> str:
        """The first of these losses, with commas between them, that the kind knows and that fits.

        Else its usual one.
        """
        fitting = (loss for loss in losses.split(",") if loss in self.losses)
        return next((loss for loss in fitting if not self.misfit(loss)), self.losses[0])

    def misfit(self, loss: str) -> str:
        """Why a loss that the kind knows does not fit these labels; nothing if it does."""
        return ""

    @abc.abstractmethod
    def trained_by(self, recipe: Recipe, labels: Labels) -> Self:
        """The task with what the recipe and all labels of the training split decide of its loss.

        Raises: UsageError for an unknown way of weighting classes.
        """

    @abc.abstractmethod
    def encode(self, labels: Labels) -> Encoded:
        """Targets and weights of these examples."""

    # --- in training

    @abc.abstractmethod
    def loss(self, p: Any, output: Any, target: Any, weight: Any | None) -> Any:
        """What is minimized, over primitives `p`: the weighted mean over labelled examples.

        `output`, `target`: [n, size] of one dtype; `weight`: as of `encode`, in that dtype.
        """

    @abc.abstractmethod
    def scores(self, output: Answers, labels: Labels) -> dict[str, float]:
        """The `loss` and every metric that is defined for these labels, from the raw output."""

    # --- in training by a teacher

    def as_targets(self, answers: Answers) -> NDArray[np.float32]:
        """Targets such as of `encode` that say what delivered answers say."""
        return np.asarray(self.raw(answers), np.float32)

    def taught(self, output: Answers) -> NDArray[np.float32]:
        """Targets that say what a teacher answers, of its raw output: by default that itself."""
        return np.asarray(output, np.float32)

    def loss_of_taught(self, p: Any, output: Any, target: Any) -> Any:
        """What is minimized of targets that `taught` made, over primitives `p`."""
        return self.loss(p, output, target, None)

    # --- after training

    def settled(self, output: Answers, labels: Labels) -> Self:
        """The task with what is chosen on validation data, such as thresholds."""
        return self

    def settled_by(self, answers: Answers, labels: Labels) -> Self:
        """The same for delivered answers that stay as they are, such as a mean of several."""
        return self.settled(self.raw(answers), labels)

    @abc.abstractmethod
    def ending(self) -> Sequence[EndingStep]:
        """The nodes that make answers for people of a raw output."""

    def finish(self, network: Network) -> Network:
        """The network with answers for people in place of its raw output of this name.

        Metadata says which.
        """
        return with_ending(network, self.name, self.size, self.ending(), self.facts())

    def unfinished(self, network: Network) -> Network:
        """The network with the raw output again, of which `finish` made answers.

        Raises: UnsupportedError if it does not end so.
        """
        return without_ending(network, self.name, self.ending())

    @abc.abstractmethod
    def answers(self, output: Answers) -> Answers:
        """What the nodes of `finish` make of a raw output."""

    @abc.abstractmethod
    def raw(self, answers: Answers) -> Answers:
        """A raw output of which `answers` makes these, as far as they tell it."""

    def voted(self, answers: Answers) -> Answers:
        """What the operator `ballot` makes of delivered answers; without one they are as they were.

        Of equal ones the first has the vote.
        """
        if self.ballot is None:
            return answers
        return np.asarray(np.eye(self.size)[answers.argmax(axis=1)])

    @abc.abstractmethod
    def answered(self, answers: Answers, labels: Labels) -> float:
        """The metric, from delivered answers."""

    @abc.abstractmethod
    def constant(self, labels: Labels) -> tuple[Answers, str]:
        """The answer [size] that is best by the metric if each of these examples gets it; in words.

        Delivered answers are as good as it if they know nothing.
        """

    @abc.abstractmethod
    def account(self, output: Answers, labels: Labels, listed: int = 16) -> dict[str, Any]:
        """All that the report shows, for run.json: `scores`, tables, and the worst examples."""

    def figures(self, answers: Answers, labels: Labels) -> dict[str, Any]:
        """What a candidate's row says of its answers beside the metric."""
        return {}

    @property
    def level(self) -> str:
        """What the last number of a delivered answer is, if it says all of it; else nothing."""
        return ""

    def explained(self, output: Answers, labels: Labels) -> list[Explained]:
        """Some right answers and the worst ones; none if nothing is known of what explains them."""
        return []

    def remarks(self, account: dict[str, Any]) -> list[str]:
        """What was settled and what it changed, in lines for people."""
        return []

    def facts(self) -> dict[str, Any]:
        """What run.json and the delivered file's metadata say of the task, and `task_of` reads.

        Kind, name, metric, and whatever is not as usual.
        """
        own = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name != "metric" and getattr(self, each.name) != each.default
        }
        return {"kind": self.kind, **own, "metric": self.metric.name}


def loss_in_float64(task: Task, output: Answers, labels: Labels) -> float:
    """What a training would minimize if these were its outputs, over the reference's primitives."""
    targets, weights = task.encode(labels)
    known = None if weights is None else weights.astype(np.float64)
    wide = output.astype(np.float64), targets.astype(np.float64)
    return float(task.loss(ReferencePrimitives(), *wide, known))
