"""Values that are repeated to a shape, as states are that a recurrent layer begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.network.graph import Dimension, Node
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction
from allotrope.shrinking.relations import relates


@relates("Expand")
def expand(junction: Junction) -> Sequence[Axes]:
    """Axes that keep their length pass; where one number is repeated, places may go."""
    made, shape = junction.made(), junction.shape()
    number = junction.number(0)
    axes: list[Axis | None] = []
    for axis, length in enumerate(made):
        place = axis - len(made) + len(shape)
        if place >= 0 and shape[place] == length:
            axes.append(junction.passed(junction.take(0, place)))
        else:
            axes.append(_repeated(junction, length, number))
    return [tuple(axes)]


@relates("ConstantOfShape")
def constant_of_shape(junction: Junction) -> Sequence[Axes]:
    """One number everywhere."""
    value = junction.node.attributes.get("value")
    number = 0.0 if value is None else float(np.reshape(value, -1)[0])
    return [tuple(_repeated(junction, length, number) for length in junction.made())]


def _repeated(junction: Junction, length: Dimension, number: float | None) -> Axis | None:
    """An axis along which nothing changes, so that any of its places may go."""
    if not isinstance(length, int) or number is None:
        return None
    return Axis(junction.atoms.fresh(length), number)


@follows("Expand")
def to_any_length(cut: Cut, index: int, node: Node) -> Node:
    """One is as long as the axis is, however long that is now."""
    masks, made = cut.masks(index), cut.made(index)
    lengths = {}
    for axis, mask in enumerate(made):
        place = axis - len(made) + len(masks)
        if place >= 0 and masks[place] is not None:
            lengths[axis - len(made)] = 1
        elif mask is not None:
            lengths[axis - len(made)] = int(mask.sum())
    return _with_lengths(cut, node, 1, lengths)


@follows("ConstantOfShape")
def to_fewer_places(cut: Cut, index: int, node: Node) -> Node:
    """As many as stay."""
    made = cut.made(index)
    lengths = {
        axis - len(made): int(mask.sum()) for axis, mask in enumerate(made) if mask is not None
    }
    return _with_lengths(cut, node, 0, lengths)


def _with_lengths(cut: Cut, node: Node, position: int, lengths: Mapping[int, int]) -> Node:
    """The node with other lengths of these axes, counted from the end, in its target."""
    if not lengths:
        return node
    name = node.inputs[position]
    target = cut.rewriter.arrays.get(name)
    if target is not None:
        # A target may be shorter than what is made: then it repeats nothing in front.
        at = {axis: length for axis, length in lengths.items() if -axis <= len(target)}
        return cut.with_constant(node, position, _replaced(target, at))
    count = len(cut.relations.values[node.outputs[0]])
    length = cut.relations.lookup.shape(name)
    if length is not None and isinstance(length[0], int):
        count = length[0]
    at = {axis: length for axis, length in lengths.items() if -axis <= count}
    return cut.with_computed(node, position, count, at)


def _replaced(target: np.ndarray, lengths: Mapping[int, int]) -> np.ndarray:
    target = target.copy()
    for axis, length in lengths.items():
        target[axis] = length
    return target
