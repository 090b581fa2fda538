"""Rows of a table that are turned around are looked up turned around.

Numbers are a hundredth of the rows that they stand for, and runtimes turn rows one by one.
"""

from __future__ import annotations

from allotrope.network.graph import Node
from allotrope.network.network import Network
from allotrope.network.rewriting.inference.passed_on import source_of
from allotrope.network.rewriting.rewriter import Rewriter


def with_reversed_places(network: Network) -> Network:
    """The network that reverses what it looks up by, not what it has looked up."""
    graph = Rewriter(network.graph, network.weights)
    reversing = [(node, looked) for node in graph.nodes() if (looked := _looked_up(graph, node))]
    for node, looked in reversing:
        _put_before(graph, node, looked)
    return graph.applied_to(network) if reversing else network


def _looked_up(graph: Rewriter, node: Node) -> Node | None:
    """The lookup of whole rows whose order a node reverses within sequences."""
    if node.operator != "ReverseSequence" or node.domain:
        return None
    looked = graph.maker(source_of(graph, node.inputs[0]), "Gather")
    if looked is None or looked.attributes.get("axis", 0) != 0:
        return None
    # Both axes that it works on, of batch and time, are of the places.
    by_table = looked.inputs[0] in graph.arrays and graph.rank(looked.inputs[1]) >= 2
    return looked if by_table else None


def _put_before(graph: Rewriter, node: Node, looked: Node) -> None:
    """The node over the places of a lookup, and the lookup by what it gives."""
    table, places = looked.inputs
    turned = graph.fresh(f"{places}.reversed")
    reverse = Node("ReverseSequence", (places, node.inputs[1]), (turned,), node.attributes, turned)
    again = Node("Gather", (table, turned), node.outputs, looked.attributes, node.name)
    graph.replace(node.outputs, [reverse, again])
