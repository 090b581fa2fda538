"""Lookups with places that are known, and lookups of rows such as embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction, Whole
from allotrope.shrinking.relations import relates


@relates("Gather")
def gather(junction: Junction) -> Sequence[Axes]:
    """x's axis makes way for those of the indices; known ones in a row name the places."""
    axis, rank = junction.axis(0), len(junction.inputs[0])
    axes = [junction.passed(junction.take(0, number)) for number in range(rank) if number != axis]
    return [(*axes[:axis], *_chosen(junction, axis), *axes[axis:])]


def _chosen(junction: Junction, axis: int) -> Axes:
    """The axes in the place of that which is looked up."""
    whole: Axes = (None,) * len(junction.inputs[1])
    known = junction.inputs[0][axis]
    try:
        indices = junction.constant(1)
    except Whole:
        # What is looked up is not known beforehand, as words are not: all rows stay.
        return whole
    if known is None or indices is None or indices.ndim > 1:
        return whole
    junction.take(0, axis)
    chosen = Axis(known.atoms[indices], known.at)
    if indices.ndim:
        return (chosen,)
    junction.freeze(chosen, "it picks this place out")
    return ()


@follows("Gather")
def at_new_places(cut: Cut, index: int, node: Node) -> Node:
    """The same places under the numbers that they have now."""
    axis = int(node.attributes.get("axis", 0))
    mask = cut.masks(index)[axis]
    if mask is None:
        return node
    indices = cut.rewriter.arrays[node.inputs[1]]
    stay = indices[mask[indices]].reshape([-1] * indices.ndim)
    # Counted from the end, a place would be another one now.
    places = (np.cumsum(mask) - 1)[stay % len(mask)]
    return cut.with_constant(node, 1, places.astype(indices.dtype))


@relates("ReverseSequence")
def reverse_sequence(junction: Junction) -> Sequence[Axes]:
    """Axes beside those of time and examples pass."""
    attributes = junction.node.attributes
    whole = {int(attributes.get("time_axis", 0)), int(attributes.get("batch_axis", 1))}
    axes: list[Axis | None] = [None] * len(junction.inputs[0])
    for number in set(range(len(axes))) - whole:
        axes[number] = junction.passed(junction.take(0, number))
    return [tuple(axes)]
