"""Makes a network ready for a framework.

Operators without a meaning become their ONNX bodies. Numbers that are rounded to integers and back
become one step, through which gradients flow; a product and the bias behind it one dense layer; a
number times its sigmoid one activation.
"""

from __future__ import annotations

from allotrope.network.graph import Graph
from allotrope.network.network import Network
from allotrope.network.reading.expand import expanded
from allotrope.network.rewriting.dense_layers import with_dense_layers
from allotrope.network.rewriting.quantized.rounding_pairs import with_rounding_pairs
from allotrope.network.rewriting.swish import with_swish
from allotrope.operators.interpret import check_supported
from allotrope.operators.operator_table import OPERATORS


def lowered(network: Network) -> Graph:
    """The graph in operators that the table knows.

    Raises: UnsupportedError that lists every other one.
    """
    graph = expanded(network, OPERATORS).graph
    graph = with_rounding_pairs(graph, network.weights)
    graph = with_dense_layers(graph, network.weights)
    graph = with_swish(graph, network.weights)
    check_supported(graph)
    return graph
