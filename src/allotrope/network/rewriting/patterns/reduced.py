"""Which axes a reduction takes."""

from __future__ import annotations

from allotrope.network.graph import Node
from allotrope.network.rewriting.lookup import Lookup


def reduced_axes(graph: Lookup, node: Node) -> list[int]:
    """The axes from the front, in their order; none if they are not known or do not stay."""
    axes = graph.arrays.get(node.input(1))
    rank = graph.rank(node.inputs[0])
    if axes is None or rank < 1 or not node.attributes.get("keepdims", 1):
        return []
    return sorted(int(axis) % rank for axis in axes.reshape(-1))
