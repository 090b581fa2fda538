"""What the frameworks are held to: the reference's outputs, losses, state and slopes, computed once, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.reference import ROUNDED, ReferencePrimitives
from allotrope.measure.agreement.arrays import Arrays
from allotrope.measure.agreement.probe import probed
from allotrope.measure.agreement.slopes import Slope, slopes_of
from allotrope.measure.agreement.task import Task
from allotrope.network.network import Network
from allotrope.network.weights import every_node
from allotrope.operators.interpret import Context, Program


class Oracle:
    """A network over NumPy, in the dtypes that it has."""

    def __init__(self, network: Network) -> None:
        self.network, self.p = network, ReferencePrimitives()
        self.program = Program(lowered(network), self.p, self.p)

    def outputs(self, inputs: Arrays, weights: Arrays | None = None, context: Context | None = None) -> dict[str, Any]:
        """The outputs by name, with `weights` in place of the network's own; arrays, lists for sequences, None for what is left out."""
        with np.errstate(all="ignore"):
            found = self.program({**self.network.weights, **(weights or {}), **inputs}, context or Context())
        return {value.name: y for value, y in zip(self.network.outputs, found, strict=True)}


@dataclass(frozen=True)
class FirstStep:
    """The first training step: the loss before it, the new state, and the slopes of the loss by the weights."""

    loss: float
    state: Arrays
    slopes: tuple[Slope, ...]


def rounded_operators(network: Network) -> list[str]:
    """The operators whose results depend on how float32 rounds, so that float64 computes another network."""
    return sorted({node.operator for node in every_node(network.graph)} & ROUNDED)


def values(network: Network, names: tuple[str, ...], inputs: Arrays, training: bool = False) -> dict[str, np.ndarray]:
    """What nodes compute, by name: those of `names` that are arrays of numbers."""
    found = Oracle(probed(network, names)).outputs(inputs, context=Context(training=training))
    return {name: y for name, y in found.items() if isinstance(y, np.ndarray) and y.dtype.kind in "biufcV"}


def in_dtypes_of(arrays: Arrays, others: Arrays) -> dict[str, np.ndarray]:
    """The arrays rounded to the dtypes that those of the same name have in `others`."""
    with np.errstate(over="ignore"):
        return {name: array.astype(others[name].dtype, copy=False) for name, array in arrays.items()}


def output_slopes(task: Task, directions: int, say: Callable[[str], None]) -> tuple[Slope, ...]:
    """The slopes of the weighted sum of outputs of which frameworks take gradients, by weights and float inputs."""
    oracle, inputs, seeds = Oracle(task.network), task.inputs(), task.output_gradients()

    def objective(moved: Mapping[str, np.ndarray]) -> float:
        outputs = oracle.outputs({**inputs, **{n: x for n, x in moved.items() if n in inputs}}, _only_weights(task.network, moved))
        return float(sum((outputs[name] * seed).sum() for name, seed in seeds.items()))

    places = {name: array for name, array in task.network.weights.items() if name in task.network.trainable}
    places |= {name: array for name, array in inputs.items() if array.dtype == np.float64}
    return slopes_of(objective, places, directions, task.seed, say)


def first_step(task: Task, directions: int, say: Callable[[str], None]) -> FirstStep:
    """What the first training step must begin with; 0 `directions` leave its slopes out.

    Raises: UnsupportedError where the network cannot be trained.
    """
    network, plan = task.trained, task.plan
    oracle, (x, target) = Oracle(network), task.batch_of(1)

    def loss(weights: Arrays, context: Context) -> float:
        (logits,) = oracle.outputs({network.inputs[0].name: x}, weights, context).values()
        return float(plan.loss(oracle.p, logits, target))

    fresh = lambda: Context(training=True, seed=plan.seed, step=1)  # noqa: E731 - each computation leaves its state in its own
    context = fresh()
    value = loss({}, context)
    if not np.isfinite(value):
        raise UnsupportedError(f"the first loss is {value} in the reference")
    places = {name: array for name, array in network.weights.items() if name in network.trainable}
    slopes = slopes_of(lambda moved: loss(moved, fresh()), places, directions, task.seed, say)
    return FirstStep(value, dict(context.updates), slopes)


def _only_weights(network: Network, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name in network.weights}
