"""Stretches of axes, perhaps with steps or backwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, Mask, follows
from allotrope.shrinking.junction import Axes, Junction, Whole
from allotrope.shrinking.relations import relates

FAR = 2**31
"""Beyond every end."""


@relates("Slice")
def slice_(junction: Junction) -> Sequence[Axes]:
    """A stretch of each axis that it names."""
    try:
        cuts, unknown = _cuts(junction), set[int]()
    except Whole:
        # Where it cuts is not known beforehand: the axes that it names stay.
        cuts, unknown = {}, _named(junction)
    axes = []
    for number, length in enumerate(junction.shape()):
        start, end, step = cuts.get(number, (0, FAR, 1))
        if (start, step) == (0, 1) and end >= FAR - 1 and number not in unknown:
            axes.append(junction.passed(junction.take(0, number)))
            continue
        # With gaps between them, places are looked up one by one: one node can do so on one axis.
        can_follow = abs(step) == 1 or len(cuts) == 1
        axis = None
        if can_follow and isinstance(length, int) and number not in unknown:
            axis = junction.take(0, number)
        axes.append(None if axis is None else Axis(axis.atoms[start:end:step], axis.at))
    return [tuple(axes)]


def _named(junction: Junction) -> set[int]:
    """The axes that are cut. Raises: Whole if they are not known."""
    axes, rank = junction.constant(3), len(junction.inputs[0])
    if axes is None:
        return set(range(rank))
    return {int(axis) % rank for axis in axes}


def _cuts(junction: Junction) -> dict[int, tuple[int, int, int]]:
    """Start, end and step of each axis that is named, as Python means them."""
    starts, ends, axes, steps = (junction.constant(position) for position in range(1, 5))
    assert starts is not None
    assert ends is not None
    count = len(starts)
    numbers = range(count) if axes is None else axes.tolist()
    by = [1] * count if steps is None else steps.tolist()
    stretches = zip(starts.tolist(), ends.tolist(), by, strict=True)
    lengths, rank = junction.shape(), len(junction.inputs[0])
    return {
        int(number) % rank: _as_in_python(lengths[int(number)], *stretch)
        for number, stretch in zip(numbers, stretches, strict=True)
    }


def _as_in_python(length: object, start: int, end: int, step: int) -> tuple[int, int, int]:
    """Backward from before the first element, ONNX begins at that; Python finds none."""
    if step < 0 and isinstance(length, int) and start < -length:
        return 0, end, step
    return start, end, step


@follows("Slice")
def to_stretch(cut: Cut, index: int, node: Node) -> Node:
    """The same places, where they are now."""
    masks, arrays = cut.masks(index), cut.rewriter.arrays
    if node.inputs[1] not in arrays or node.inputs[2] not in arrays:
        return node
    starts, ends = (arrays[node.inputs[position]].copy() for position in (1, 2))
    axes, steps = range(len(starts)), [1] * len(starts)
    if node.input(3):
        axes = arrays[node.inputs[3]].tolist()
    if node.input(4):
        steps = arrays[node.inputs[4]].tolist()
    for place, axis in enumerate(axes):
        mask = masks[axis]
        if mask is None:
            continue
        # Before the first element is where Python has no start, and backward ONNX has one.
        begun = max(int(starts[place]), -len(mask))
        chosen = slice(begun, int(ends[place]), steps[place])
        if abs(steps[place]) > 1:
            return _looked_up(cut, node, axis, mask, chosen)
        starts[place], ends[place] = _bounds(mask, chosen)
    return cut.with_constant(cut.with_constant(node, 1, starts), 2, ends)


def _bounds(mask: Mask, chosen: slice) -> tuple[int, int]:
    """Start and end among the places that stay."""
    start, end, step = chosen.indices(len(mask))
    if step > 0:
        return int(mask[:start].sum()), int(mask[: max(start, end)].sum())
    # Backward the start is the last of those up to it, and the end lies before them: the end of
    # a stretch that goes to the first place has no number but one far in front.
    first, behind = int(mask[: start + 1].sum()) - 1, int(mask[: end + 1].sum()) - 1
    return first, behind if behind >= 0 else -FAR


def _looked_up(cut: Cut, node: Node, axis: int, mask: Mask, chosen: slice) -> Node:
    """What stays of places with gaps between them lies anywhere: a lookup of each."""
    places = (np.cumsum(mask) - 1)[chosen][mask[chosen]]
    indices = cut.rewriter.constant(f"{node.outputs[0]}/places", places.astype(np.int64))
    return Node("Gather", (node.inputs[0], indices), node.outputs, {"axis": axis}, node.name)
