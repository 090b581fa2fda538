"""Makes a network ready for a framework: operators without a meaning become their ONNX bodies."""

from __future__ import annotations

from allotrope.network.graph import Graph
from allotrope.network.network import Network
from allotrope.network.reading.expand import expanded
from allotrope.operators.interpret import check_supported
from allotrope.operators.operator_table import OPERATORS


def lowered(network: Network) -> Graph:
    """The graph in operators that the table knows.

    Raises: UnsupportedError that lists every other one.
    """
    graph = expanded(network, OPERATORS).graph
    check_supported(graph)
    return graph
