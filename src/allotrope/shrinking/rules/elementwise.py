"""Operators that work place by place, with broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.junction import Axes, Junction, same
from allotrope.shrinking.relations import relates

Number = Callable[[Junction, Sequence[float | None]], float | None]
"""What the output is where an axis is removed, by what the inputs are there."""


@relates(
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Clip", "Cos"),
    *("Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu"),
    *("Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign"),
    *("Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
    *("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "PRelu"),
)
def elementwise(junction: Junction) -> Sequence[Axes]:
    """Axes are aligned from the last on; those of one length go together."""
    rank = len(junction.made())
    return [tuple(_aligned(junction, rank - axis, _worked_out) for axis in range(rank))]


def _aligned(junction: Junction, from_end: int, number: Number) -> Axis | None:
    """The axis of the output that is so many from its end."""
    present = [p for p in junction.inputs if len(junction.inputs[p]) >= from_end]
    lengths = {p: junction.shape(p)[-from_end] for p in present}
    # A length of one is repeated beside others: what it holds there is not of the places.
    wide = [p for p in present if lengths[p] != 1] or present
    taken = {p: junction.take(p, -from_end) for p in wide}
    axis = junction.unite(*taken.values())
    if axis is None:
        return None
    numbers = [_at(junction, p, taken) for p in range(len(junction.node.inputs))]
    at = number(junction, numbers)
    if at is not None and not math.isfinite(at):
        junction.freeze(axis, "its value at 0 is not finite")
    return Axis(axis.atoms, at)


def _at(junction: Junction, position: int, taken: dict[int, Axis | None]) -> float | None:
    """What an input is where the axis is removed."""
    if position in taken:
        axis = taken[position]
        return None if axis is None else axis.at
    return junction.number(position) if junction.has(position) else None


def _worked_out(junction: Junction, numbers: Sequence[float | None]) -> float | None:
    """What the output is there: also where only one factor is known, and it is 0."""
    operator = junction.node.operator
    if operator == "Mul" and 0 in numbers:
        return 0.0
    if operator in ("Div", "PRelu") and numbers[0] == 0 and numbers[1] is None:
        return 0.0
    return junction.worked_out(*numbers)


@relates("Cast", "Dropout", "Identity")
def like(junction: Junction) -> Sequence[Axes]:
    """What comes out is like the first input."""
    axes = tuple(junction.passed(junction.take(0, axis)) for axis in range(len(junction.inputs[0])))
    return [axes] * len(junction.node.outputs)


@relates("Where")
def where(junction: Junction) -> Sequence[Axes]:
    """As other elementwise operators; known if it is the same number either way."""
    rank = len(junction.made())
    return [tuple(_aligned(junction, rank - axis, _either_way) for axis in range(rank))]


def _either_way(_: Junction, numbers: Sequence[float | None]) -> float | None:
    return same(numbers[1:])
