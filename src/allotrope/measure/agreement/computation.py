"""What every framework gets to do: a network in a precision, inputs, batches, training.

All of it is a function of the task's plain fields, so that each process makes the same bytes for
itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from allotrope.config import Recipe
from allotrope.errors import UnsupportedError
from allotrope.frameworks.contract import Batch, Loss, TrainingPlan
from allotrope.frameworks.widening import widened, widened_array
from allotrope.measure.agreement.learned import learned_tasks, random_labels
from allotrope.measure.agreement.probe import probed
from allotrope.measure.random_inputs import random_inputs
from allotrope.network.network import Network
from allotrope.network.reading.read import load
from allotrope.tasks import Task as LearnedTask
from allotrope.tasks.several import encoded, joint_loss
from allotrope.training.plan import training_plan


@dataclass(frozen=True)
class Computation:
    """A network in a file, to be computed in `precision`: float64 widens every float32 in it.

    `batch` is the first dimension of inputs where it is free, `lengths` are the other free ones by
    name. `outputs` are the shapes of the float outputs, `scale` the root mean square of their
    values. `probes` are the inner values that are compared. `nudge` is the part of itself by which
    each trainable weight begins off, up or down at random. `kinds` are of the inputs that are not
    just numbers, as `measure.kinds` writes them. `tasks` are the kinds of tasks by the outputs that
    learn them, `missing` the part of their labels that is missing.
    """

    file: str
    precision: str
    batch: int
    lengths: Mapping[str, int]
    seed: int
    learning_rate: float
    outputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    scale: float = 1.0
    probes: tuple[str, ...] = ()
    nudge: float = 0.0
    kinds: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    missing: float = 0.0

    @property
    def dtype(self) -> np.dtype:
        """Of targets, of losses and of what seeds gradients."""
        return np.dtype(self.precision)

    @cached_property
    def declared(self) -> Network:
        """The network as it is in the file."""
        return load(self.file, repair=False)

    @cached_property
    def network(self) -> Network:
        """The network in the computation's precision."""
        network = widened(self.declared) if self.precision == "float64" else self.declared
        return nudged(network, self.nudge, self.seed) if self.nudge else network

    def inputs(self, step: int = 0) -> dict[str, np.ndarray]:
        """The network's inputs, other ones for each training step.

        The same numbers in every precision.
        """
        made = random_inputs(
            self.declared.inputs, self.batch, self.lengths, (self.seed, step), self.kinds
        )
        return (
            {name: widened_array(array) for name, array in made.items()}
            if self.precision == "float64"
            else made
        )

    def output_gradients(self) -> dict[str, np.ndarray]:
        """What gradients are taken of: a random weighted sum of all float outputs."""
        random = np.random.default_rng((self.seed, 1))
        return {
            name: random.standard_normal(shape).astype(np.float32).astype(self.dtype)
            for name, shape in self.outputs.items()
        }

    @cached_property
    def classifies(self) -> bool:
        """Whether it takes raw bytes [n, h, w, c] and gives logits, as what `fit` trains."""
        inputs, shapes = self.network.inputs, list(self.outputs.values())
        if not len(inputs) == len(self.network.outputs) == len(shapes) == 1:
            return False
        raw = inputs[0].dtype == np.uint8 and len(inputs[0].shape or ()) == 4
        return raw and len(shapes[0]) == 2 and shapes[0][1] > 1

    @property
    def loss_in_words(self) -> str:
        """What its training minimizes."""
        if self.tasks:
            return " and ".join(f"{kind} of '{name}'" for name, kind in self.tasks.items())
        return "cross-entropy" if self.classifies else "squared error"

    @cached_property
    def trained(self) -> Network:
        """The network as trainers take it: of its outputs, those that are floats.

        Raises: UnsupportedError if there is nothing to train or no loss to compute.
        """
        if not self.network.inputs:
            raise UnsupportedError("it has no inputs")
        texts = [value.name for value in self.network.inputs if value.dtype.kind == "O"]
        if texts:
            raise UnsupportedError(f"its inputs {', '.join(texts)} are texts, not numbers")
        if not self.network.trainable or not self.outputs:
            raise UnsupportedError(
                "it has no trainable weights"
                if self.outputs
                else "none of its outputs is a float, so there is no loss"
            )
        if len(self.network.outputs) == len(self.outputs):
            return self.network
        return probed(self.network, list(self.outputs))

    @cached_property
    def plan(self) -> TrainingPlan:
        """Momentum with weight decay; cross-entropy for what `classifies`, else squared errors."""
        recipe = Recipe(
            optimizer="momentum",
            learning_rate=self.learning_rate,
            weight_decay=5e-4,
            schedule="constant",
            seed=self.seed,
        )
        return training_plan(self.trained, recipe, self._loss())

    def _loss(self) -> Loss:
        if self.tasks:
            return joint_loss(self.learned)
        if self.classifies:
            return joint_loss(
                learned_tasks(dict.fromkeys(self.outputs, "classification"), self.outputs)
            )
        return squared_error(self.scale)

    @cached_property
    def learned(self) -> tuple[LearnedTask, ...]:
        """The tasks of its outputs, if it has such."""
        return learned_tasks(self.tasks, self.outputs)

    def batch_of(self, step: int) -> Batch:
        """What a trainer's step is given; the training step counts from 1."""
        random = np.random.default_rng((self.seed, step, 2))
        if self.tasks:
            return self._of_tasks(self.inputs(step), random)
        targets = {name: self._target(shape, random) for name, shape in self.outputs.items()}
        return Batch(self.inputs(step), targets)

    def _of_tasks(self, inputs: Mapping[str, np.ndarray], random: np.random.Generator) -> Batch:
        labels = {
            task.name: random_labels(task, self.outputs[task.name][0], self.missing, random)
            for task in self.learned
        }
        gaps = set(labels) if self.missing else ()
        targets, weights = encoded(self.learned, labels, gaps)
        columns = (
            {n: x.astype(self.dtype) for n, x in each.items()} for each in (targets, weights)
        )
        return Batch(inputs, *columns)

    def _target(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        """Of one output; the same numbers in every precision."""
        if self.classifies:
            count, classes = shape
            return np.eye(classes, dtype=self.dtype)[random.integers(0, classes, count)]
        target = np.asarray(random.standard_normal(shape) * self.scale, np.float32)
        return target.astype(self.dtype)


def nudged(network: Network, part: float, seed: int) -> Network:
    """The network with every element of its trainable weights moved by that part of itself."""
    random = np.random.default_rng((seed, 3))
    moved = {name: network.weights[name] for name in sorted(network.trainable)}
    return network.with_weights(
        {
            name: w + w * random.choice([-part, part], w.shape).astype(w.dtype)
            for name, w in moved.items()
        }
    )


def squared_error(scale: float) -> Loss:
    """The mean of ((output - target) / scale)² over all elements of all outputs with a target.

    A scale below 1 counts as 1, or small outputs would learn too fast.
    """

    def compute(p: Any, outputs: Any, targets: Any, weights: Any) -> Any:
        total, count = None, 0
        for name, target in targets.items():
            difference = p.multiply(p.subtract(outputs[name], target), 1 / max(scale, 1.0))
            squares = p.sum(p.multiply(difference, difference))
            total = squares if total is None else p.add(total, squares)
            count += math.prod(p.shape(target))
        return p.multiply(total, 1 / count if count else math.nan)

    return compute
