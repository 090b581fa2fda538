"""First states of recurrent layers that are zeros: layers begin with zeros anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from allotrope.conversion.core.simplify import read_by
from allotrope.network.graph import Graph, Node

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
    """The graph whose recurrent layers are not given zeros, which exporters write for each batch.

    The nodes that made these alone are gone.
    """
    makers = {name: node for node in graph.nodes for name in node.outputs}
    nodes = tuple(_begun_with_zeros(node, makers, graph.constants) for node in graph.nodes)
    if nodes == graph.nodes:
        return graph
    return _without_unused(replace(graph, nodes=nodes))


def _begun_with_zeros(
    node: Node, makers: Mapping[str, Node], constants: Mapping[str, np.ndarray]
) -> Node:
    if node.domain:
        return node
    inputs = list(node.inputs)
    for place in STATES.get(node.operator, ()):
        if place < len(inputs) and _is_zero(inputs[place], makers, constants):
            inputs[place] = ""
    return replace(node, inputs=tuple(inputs))


def _is_zero(name: str, makers: Mapping[str, Node], constants: Mapping[str, np.ndarray]) -> bool:
    """Whether a value is zeros, of whatever shape."""
    if name in constants:
        return not np.any(constants[name])
    node = makers.get(name)
    if node is None or node.domain:
        return False
    if node.operator == "ConstantOfShape":
        return not np.any(node.attributes.get("value", 0))
    if node.operator == "Concat":
        return all(_is_zero(one, makers, constants) for one in node.inputs)
    return node.operator in MOVES and _is_zero(node.inputs[0], makers, constants)


def _without_unused(graph: Graph) -> Graph:
    """The graph without nodes that give nothing to an output."""
    wanted = {value.name for value in graph.outputs}
    nodes: list[Node] = []
    # From the end: a node is needed if one behind it needs what it makes.
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            nodes.append(node)
            wanted |= set(read_by(node))
    return replace(graph, nodes=tuple(reversed(nodes)))
