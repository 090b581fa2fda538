"""What the frameworks are held to: the reference's numbers, computed once, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.frameworks.contract import Batch
from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.reference.framework import ROUNDED
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.frameworks.updates import loss_of
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.probe import probed
from allotrope.measure.agreement.slopes import Slope
from allotrope.measure.agreement.step_files import Arrays
from allotrope.network.network import Network
from allotrope.network.used import every_node
from allotrope.operators.interpret import Context, Program


class Oracle:
    """A network over NumPy, in the dtypes that it has."""

    def __init__(self, network: Network, p: ReferencePrimitives | None = None) -> None:
        """`p` are the primitives, NumPy's own by default."""
        self.network, self.p = network, p or ReferencePrimitives()
        self.program = Program(lowered(network), self.p, self.p)

    def outputs(
        self, inputs: Arrays, weights: Arrays | None = None, context: Context | None = None
    ) -> dict[str, Any]:
        """The outputs by name, with `weights` in place of the network's own.

        Arrays, lists for sequences, None for what is left out.
        """
        # Later ones win: weights of a finite difference stand in for the network's own.
        arrays = {**self.network.weights, **(weights or {}), **inputs}
        # Infinities and NaNs are results like others here; frameworks do not warn of them either.
        with np.errstate(all="ignore"):
            answers = self.program.values(arrays, context or Context())
        return {value.name: y for value, y in zip(self.network.outputs, answers, strict=True)}


@dataclass(frozen=True)
class FirstStep:
    """The first step: the loss before it, the new state, and the loss's slopes by the weights."""

    loss: float
    state: Arrays
    slopes: tuple[Slope, ...] = ()


def rounded_operators(network: Network) -> list[str]:
    """The operators whose results hang on float32's rounding: float64 is another network."""
    return sorted({node.operator for node in every_node(network.graph)} & ROUNDED)


def values(
    network: Network,
    names: tuple[str, ...],
    inputs: Arrays,
    training: bool = False,
    p: ReferencePrimitives | None = None,
) -> dict[str, np.ndarray]:
    """What nodes compute, by name: those of `names` that are arrays of numbers."""
    outputs = Oracle(probed(network, names), p).outputs(inputs, context=Context(training=training))
    return {
        name: y
        for name, y in outputs.items()
        if isinstance(y, np.ndarray) and y.dtype.kind in "biufcV"
    }


def in_dtypes_of(arrays: Arrays, others: Arrays) -> dict[str, np.ndarray]:
    """The arrays rounded to the dtypes that those of the same name have in `others`."""
    # What is too large for float32 becomes infinite there in the frameworks, too.
    with np.errstate(over="ignore"):
        return {
            name: array.astype(others[name].dtype, copy=False) for name, array in arrays.items()
        }


def first_step(computation: Computation, p: ReferencePrimitives | None = None) -> FirstStep:
    """What the first training step must begin with, without its slopes.

    Raises: UnsupportedError where the network cannot be trained.
    """
    context = Context(training=True, seed=computation.plan.seed, step=1)
    value = first_loss(computation, Oracle(computation.trained, p), {}, context)
    # Every later loss would be NaN in all frameworks, and all of them would agree.
    if not np.isfinite(value):
        raise UnsupportedError(f"the first loss is {value} in the reference")
    return FirstStep(value, dict(context.updates))


def first_loss(
    computation: Computation, oracle: Oracle, weights: Arrays, context: Context
) -> float:
    """The loss of the first training step with `weights` in place of the network's own."""
    batch = computation.batch_of(1)
    outputs = oracle.outputs(batch.inputs, weights, context)
    return loss_in_numpy(computation, batch, outputs, oracle.p)


def loss_in_numpy(
    computation: Computation, batch: Batch, outputs: Arrays, p: ReferencePrimitives | None = None
) -> float:
    """The loss of a training step whose batch gave these outputs."""
    primitives = p or ReferencePrimitives()
    return float(loss_of(primitives, computation.plan, outputs, batch.targets, batch.weights))
