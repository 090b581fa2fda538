"""Lookups with places that are known, and lookups of rows such as embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrink.atoms import Axis
from allotrope.shrink.cutting import Cutting, follows
from allotrope.shrink.relations import relates
from allotrope.shrink.site import Axes, Site, Whole


@relates("Gather")
def gather(site: Site) -> Sequence[Axes]:
    """x's axis makes way for those of the indices; known ones in a row name the places."""
    axis, rank = site.axis(0), len(site.inputs[0])
    axes = [site.passed(site.take(0, number)) for number in range(rank) if number != axis]
    return [(*axes[:axis], *_chosen(site, axis), *axes[axis:])]


def _chosen(site: Site, axis: int) -> Axes:
    """The axes in the place of that which is looked up."""
    whole: Axes = (None,) * len(site.inputs[1])
    known = site.inputs[0][axis]
    try:
        indices = site.constant(1)
    except Whole:
        # What is looked up is not known beforehand, as words are not: all rows stay.
        return whole
    if known is None or indices is None or indices.ndim > 1:
        return whole
    site.take(0, axis)
    chosen = Axis(known.atoms[indices], known.at)
    if indices.ndim:
        return (chosen,)
    site.freeze(chosen, "it picks this place out")
    return ()


@follows("Gather")
def at_new_places(cutting: Cutting, index: int, node: Node) -> Node:
    """The same places under the numbers that they have now."""
    axis = int(node.attributes.get("axis", 0))
    mask = cutting.masks(index)[axis]
    if mask is None:
        return node
    indices = cutting.rewriter.arrays[node.inputs[1]]
    stay = indices[mask[indices]].reshape([-1] * indices.ndim)
    # Counted from the end, a place would be another one now.
    places = (np.cumsum(mask) - 1)[stay % len(mask)]
    return cutting.with_constant(node, 1, places.astype(indices.dtype))


@relates("Shape")
def shape(site: Site) -> Sequence[Axes]:
    """Only lengths that somebody looks at must stay."""
    rank = len(site.inputs[0])
    start, end = site.node.attributes.get("start", 0), site.node.attributes.get("end")
    counted = range(rank)[slice(start, end)]
    picked = _picked(site, len(counted))
    for place, axis in enumerate(counted):
        if place not in picked:
            site.take(0, axis)
    for axis in set(range(rank)) - set(counted):
        site.take(0, axis)
    return [(None,)]


def _picked(site: Site, count: int) -> set[int]:
    """Which of the lengths are used by anybody."""
    name = site.node.outputs[0]
    picked: set[int] = set()
    for user in site.lookup.users(name):
        indices = site.lookup.arrays.get(user.input(1))
        by_place = user.operator == "Gather" and user.inputs[0] == name
        if indices is None or not by_place or name in site.lookup.outputs:
            return set(range(count))
        picked |= {int(index) % count for index in indices.reshape(-1)}
    return picked
