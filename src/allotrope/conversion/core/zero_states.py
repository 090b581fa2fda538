"""First states of recurrent layers that are zeros: layers begin with zeros anyway."""

from __future__ import annotations

import numpy as np

from allotrope.network.graph import Graph
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.used import without_unused

STATES = {"RNN": (5,), "GRU": (5,), "LSTM": (5, 6)}
"""Which inputs are first states."""
MOVES = frozenset(
    {
        "Cast",
        "Expand",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
"""What gives zeros for zeros, whatever its other inputs are."""


def without_zero_states(graph: Graph) -> Graph:
    """The graph whose recurrent layers get no zeros, without the nodes that made these alone."""
    rewriter, changed = Rewriter(graph), False
    for node in rewriter.nodes():
        begun = node
        for position in STATES.get(node.operator, ()) if not node.domain else ():
            if node.input(position) and _is_zero(rewriter, node.inputs[position]):
                begun = begun.with_input(position, "")
        if begun is not node:
            rewriter.replace(node.outputs, [begun])
            changed = True
    return without_unused(rewriter.result()) if changed else graph


def _is_zero(graph: Lookup, name: str) -> bool:
    """Whether a value is zeros, of whatever shape."""
    if name in graph.arrays:
        return not np.any(graph.arrays[name])
    node = graph.maker(name)
    if node is None or node.domain:
        return False
    if node.operator == "ConstantOfShape":
        return not np.any(node.attributes.get("value", 0))
    if node.operator == "Concat":
        return all(_is_zero(graph, one) for one in node.inputs)
    return node.operator in MOVES and _is_zero(graph, node.inputs[0])
