"""Operators that work place by place, with broadcasting."""

from __future__ import annotations

import math
from collections.abc import Sequence

from allotrope.network.graph import Dimension
from allotrope.shrink.atoms import Axis
from allotrope.shrink.relations import relates
from allotrope.shrink.site import Axes, Site, same


@relates(
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Clip", "Cos"),
    *("Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu"),
    *("Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign"),
    *("Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
    *("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "PRelu"),
)
def elementwise(site: Site) -> Sequence[Axes]:
    """Axes are aligned from the last on; those of one length go together."""
    rank = len(site.made())
    return [tuple(_aligned(site, rank - axis) for axis in range(rank))]


def _aligned(site: Site, from_end: int) -> Axis | None:
    """The axis of the output that is so many from its end."""
    present = [p for p in site.inputs if len(site.inputs[p]) >= from_end]
    lengths = {p: site.shape(p)[-from_end] for p in present}
    # A length of one is repeated beside others: what it holds there is not of the places.
    wide = [p for p in present if lengths[p] != 1] or present
    taken = {p: site.take(p, -from_end) for p in wide}
    axis = site.unite(*taken.values())
    if axis is None:
        return None
    numbers = [_at(site, p, taken) for p in range(len(site.node.inputs))]
    at = _worked_out(site, numbers)
    if at is not None and not math.isfinite(at):
        site.freeze(axis, "its value at 0 is not finite")
    return Axis(axis.atoms, at)


def _at(site: Site, position: int, taken: dict[int, Axis | None]) -> float | None:
    """What an input is where the axis is removed."""
    if position in taken:
        axis = taken[position]
        return None if axis is None else axis.at
    return site.number(position) if site.has(position) else None


def _worked_out(site: Site, numbers: Sequence[float | None]) -> float | None:
    """What the output is there: also where only one factor is known, and it is 0."""
    operator = site.node.operator
    if operator == "Mul" and 0 in numbers:
        return 0.0
    if operator in ("Div", "PRelu") and numbers[0] == 0 and numbers[1] is None:
        return 0.0
    return site.worked_out(*numbers)


@relates("Cast", "Dropout", "Identity")
def like(site: Site) -> Sequence[Axes]:
    """What comes out is like the first input."""
    axes = tuple(site.passed(site.take(0, axis)) for axis in range(len(site.inputs[0])))
    return [axes] * len(site.node.outputs)


@relates("Where")
def where(site: Site) -> Sequence[Axes]:
    """As other elementwise operators; known if it is the same number either way."""
    rank = len(site.made())
    return [tuple(_chosen(site, rank - axis) for axis in range(rank))]


def _chosen(site: Site, from_end: int) -> Axis | None:
    present = [p for p in site.inputs if len(site.inputs[p]) >= from_end]
    lengths: dict[int, Dimension] = {p: site.shape(p)[-from_end] for p in present}
    wide = [p for p in present if lengths[p] != 1] or present
    taken = {p: site.take(p, -from_end) for p in wide}
    axis = site.unite(*taken.values())
    if axis is None:
        return None
    return Axis(axis.atoms, same([_at(site, p, taken) for p in (1, 2)]))
