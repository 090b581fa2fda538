"""Which weights a trainer may store as the kernels of TensorFlow and JAX take them, instead of turning them round in every step."""

from __future__ import annotations

from allotrope.network.graph import Graph
from allotrope.network.network import Network
from allotrope.network.weights import every_node

STORED = (2, 3, 1, 0)
"""The axes of a convolution's weight [m, c / groups, kh, kw] in the order [kh, kw, c / groups, m]."""
NAMED = (3, 2, 0, 1)
"""The axes of a stored weight in the order that the network's file has."""


def convolution_weights(network: Network, graph: Graph) -> frozenset[str]:
    """The weights [m, c / groups, kh, kw] that nothing in the lowered graph reads but convolutions, as their weight."""
    read = {(node.operator, position, name) for node in every_node(graph) for position, name in enumerate(node.inputs)}
    elsewhere = {name for operator, position, name in read if (operator, position) != ("Conv", 1)}
    elsewhere |= {value.name for value in graph.outputs}
    found = {name for operator, position, name in read if (operator, position) == ("Conv", 1)}
    return frozenset(name for name in found - elsewhere if name in network.weights and network.weights[name].ndim == 4)
