"""Rounding to integers and back, with one step for all or one for each place of an axis."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.junction import Axes, Junction, Whole
from allotrope.shrinking.relations import relates


@relates("QuantizeLinear")
def quantize(junction: Junction) -> Sequence[Axes]:
    """0 becomes the zero point."""
    zero = _zero_point(junction)
    return [_stepped(junction, 0.0, zero, divides=True)]


@relates("DequantizeLinear")
def dequantize(junction: Junction) -> Sequence[Axes]:
    """The zero point becomes 0."""
    zero = _zero_point(junction)
    return [_stepped(junction, zero, 0.0, divides=False)]


@relates("QuantizeDequantize")
def round_to_steps(junction: Junction) -> Sequence[Axes]:
    """0 stays 0, as long as integers reach from their ends to the zero point."""
    return [_stepped(junction, 0.0, 0.0, divides=True)]


def _zero_point(junction: Junction) -> float | None:
    """The number that stands for 0; None if places have different ones."""
    if not junction.has(2):
        return 0.0
    axes = junction.inputs[2]
    if len(axes) == 1 and axes[0] is not None:
        return axes[0].at
    return junction.number(2)


def _stepped(
    junction: Junction, before: float | None, after: float | None, *, divides: bool
) -> Axes:
    """Every axis passes, that of the steps together with them.

    Whatever is `before` at removed places is `after` there.
    """
    if junction.node.attributes.get("block_size", 0):
        raise Whole("a step is for a block of places")
    rank = len(junction.inputs[0])
    stepped = _axis_of_steps(junction)
    axes: list[Axis | None] = []
    for number in range(rank):
        axis = junction.take(0, number)
        at = None
        if axis is not None and before is not None and axis.at == before:
            at = after
        taken = [axis]
        if number == stepped:
            taken += [junction.take(position, 0) for position in (1, 2) if junction.has(position)]
        steps = taken[1] if number == stepped else None
        if divides and steps is not None and steps.at == 0:
            junction.freeze(steps, "its steps learn, and are no steps at 0")
        axes.append(junction.unite(*taken, at=at))
    return tuple(axes)


def _axis_of_steps(junction: Junction) -> int | None:
    """The axis whose places have a step each; None if there is one step for all."""
    if not junction.inputs[1] or junction.shape(1) == (1,):
        return None
    return junction.axis(1)
