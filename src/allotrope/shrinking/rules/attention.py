"""Attention: a head stays or goes as one, with the heads that share its keys and values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction, Whole
from allotrope.shrinking.relations import relates

COUNTS = ("q_num_heads", "kv_num_heads", "kv_num_heads")
"""What says how many heads there are in queries, keys and values."""


@relates("Attention")
def attention(junction: Junction) -> Sequence[Axes]:
    """q, k, v: [n, heads, t, d], or [n, t, heads * d] with the numbers of heads as attributes."""
    _check_plain(junction)
    rank = len(junction.inputs[0])
    number = 1 if rank == 4 else 2
    axes = [junction.take(position, number) for position in range(3)]
    known = [axis for axis in axes if axis is not None]
    if len(known) < 3:
        for axis in known:
            junction.freeze(axis, "its heads are matched with an axis that stays as it is")
        return []
    counts = [_heads(junction, axis, name, rank) for axis, name in zip(known, COUNTS, strict=True)]
    heads = [
        _as_one(junction, axis, count).reshape(counts[1], -1)
        for axis, count in zip(known, counts, strict=True)
    ]
    # Several heads of queries may look at one of keys and values.
    for others in heads:
        junction.atoms.unite(heads[1][:, :1], others)
    made = np.repeat(heads[0].reshape(-1), len(known[2]) // counts[2])
    places: list[Axis | None] = [None] * rank
    places[number] = Axis(made, known[2].at)
    return [tuple(places)]


def _check_plain(junction: Junction) -> None:
    """Raises: Whole for what depends on heads in other ways."""
    if any(junction.node.outputs[1:]) or any(junction.has(position) for position in (4, 5, 6)):
        raise Whole("it keeps keys and values of the past")
    if junction.has(3) and len(junction.inputs[3]) > 2 and junction.shape(3)[-3] != 1:
        raise Whole("its mask is one of each head")


def _heads(junction: Junction, axis: Axis, name: str, rank: int) -> int:
    if rank == 4:
        return len(axis)
    return int(junction.node.attributes[name])


def _as_one(junction: Junction, axis: Axis, count: int) -> np.ndarray:
    """The atoms of heads, whose places are united: [count]."""
    places = axis.atoms.reshape(count, -1)
    junction.atoms.unite(places[:, :1], places)
    return places[:, 0]


@follows("Attention")
def with_fewer_heads(cut: Cut, index: int, node: Node) -> Node:
    """The numbers of heads are attributes if all stand on one axis."""
    inputs = cut.relations.inputs[index]
    if len(inputs[0]) == 4:
        return node
    heads = {}
    for position, name in enumerate(COUNTS):
        axis = inputs[position][2]
        assert axis is not None
        places = len(axis) // node.attributes[name]
        heads[name] = cut.length(index, position, 2) // places
    return cut.with_attributes(node, **heads)
