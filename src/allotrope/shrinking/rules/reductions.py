"""Reductions: the axes that are left pass; of those that go only a sum of zeros can be cut."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.junction import Axes, Junction, valued
from allotrope.shrinking.relations import relates

SUMS = ("ReduceL1", "ReduceL2", "ReduceSum", "ReduceSumSquare")
"""0 adds nothing to them."""

ZERO_OF_ZEROS = (*SUMS, "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd")


@relates(*ZERO_OF_ZEROS, "ReduceLogSumExp")
def reduction(junction: Junction) -> Sequence[Axes]:
    """Axes are the second input; without any, all are meant, or none if that is said."""
    rank = len(junction.inputs[0])
    axes = junction.constant(1)
    gone = set(range(rank))
    if axes is not None and axes.size:
        gone = {int(axis) % rank for axis in axes}
    elif junction.node.attributes.get("noop_with_empty_axes", 0):
        gone = set()
    made = []
    for number in range(rank):
        if number not in gone:
            made.append(_left(junction, number))
            continue
        axis = junction.inputs[0][number]
        if axis is not None and axis.at == 0 and junction.node.operator in SUMS:
            junction.take(0, number)
        if junction.node.attributes.get("keepdims", 1):
            made.append(None)
    return [tuple(made)]


def _left(junction: Junction, number: int) -> Axis | None:
    axis = junction.take(0, number)
    if junction.node.operator in ZERO_OF_ZEROS:
        return junction.passed(axis)
    return valued(axis)


@relates("ArgMax", "ArgMin")
def place_of_extreme(junction: Junction) -> Sequence[Axes]:
    """All axes pass but that in which places are counted."""
    whole = junction.axis(0)
    rank = len(junction.inputs[0])
    axes = [valued(junction.take(0, n)) for n in range(rank) if n != whole]
    if junction.node.attributes.get("keepdims", 1):
        axes.insert(whole, None)
    return [tuple(axes)]


@relates("CumSum")
def running_sum(junction: Junction) -> Sequence[Axes]:
    """All axes pass but that along which it is summed."""
    axis = junction.constant(1)
    assert axis is not None
    rank = len(junction.inputs[0])
    whole = int(axis.reshape(())) % rank
    axes = [junction.passed(junction.take(0, n)) for n in range(rank) if n != whole]
    axes.insert(whole, None)
    return [tuple(axes)]
