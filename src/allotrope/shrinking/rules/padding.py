"""Padding: what is added can go with what it is added to, as in shortcuts that are filled up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction, valued
from allotrope.shrinking.relations import relates


@relates("Pad")
def pad(junction: Junction) -> Sequence[Axes]:
    """Every axis by its own number of places in front and behind."""
    widths = _widths(junction)
    mode = junction.node.attributes.get("mode", "constant")
    value: float | None = 0.0
    if mode != "constant":
        value = None
    elif junction.has(2):
        value = junction.number(2)
    return [tuple(_padded(junction, axis, width, value, mode) for axis, width in enumerate(widths))]


def _widths(junction: Junction) -> np.ndarray:
    """[rank, 2]: how many places are added in front and behind."""
    rank = len(junction.inputs[0])
    widths = np.zeros((rank, 2), np.int64)
    axes = junction.constant(3)
    pads = junction.constant(1)
    assert pads is not None
    widths[range(rank) if axes is None else axes] = pads.reshape(2, -1).T
    return widths


def _padded(
    junction: Junction, number: int, width: np.ndarray, value: float | None, mode: str
) -> Axis | None:
    front, behind = width.tolist()
    if (front or behind) and (mode != "constant" or min(front, behind) < 0):
        return None
    axis = junction.take(0, number)
    if axis is None:
        return None
    # Only where what is added along other axes is the same number is it one number.
    at = axis.at if axis.at == value else None
    if not front and not behind:
        return valued(axis, at)
    added = [junction.atoms.fresh(count) for count in (front, behind)]
    return Axis(np.concatenate([added[0], axis.atoms, added[1]]), at)


@follows("Pad")
def with_fewer_places(cut: Cut, index: int, node: Node) -> Node:
    """Of what is added along an axis, only what stays."""
    rank = len(cut.masks(index))
    pads = cut.rewriter.arrays[node.inputs[1]].copy()
    axes = range(rank)
    if node.input(3):
        axes = cut.rewriter.arrays[node.inputs[3]].tolist()
    for place, axis in enumerate(axes):
        mask = cut.made(index)[axis]
        front, behind = pads[place], pads[place + len(axes)]
        if mask is not None and (front or behind):
            pads[place] = mask[:front].sum()
            pads[place + len(axes)] = mask[len(mask) - behind :].sum()
    return cut.with_constant(node, 1, pads)
