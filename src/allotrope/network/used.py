"""Which values of a graph are taken: by a node, by the graphs inside it, by the user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from allotrope.network.graph import Graph, Node


def used(node: Node) -> set[str]:
    """What the node takes, with what the graphs inside it take from around them."""
    names = set(node.inputs) - {""}
    for inner in node.subgraphs:
        names |= used_in(inner) - made_in(inner)
    return names


def used_in(graph: Graph) -> set[str]:
    """What the nodes of a graph take, with the graphs inside, and what it gives."""
    return {value.name for value in graph.outputs}.union(*(used(node) for node in graph.nodes))


def taken_in(graph: Graph) -> frozenset[str]:
    """Every name that some node takes or some graph gives, those of the graphs inside too.

    Names of one graph inside another are told apart when a file is read.
    """
    names = {value.name for value in graph.outputs}.union(*(node.inputs for node in graph.nodes))
    inner = (subgraph for node in graph.nodes for subgraph in node.subgraphs)
    return frozenset(names.union(*map(taken_in, inner)))


def made_in(graph: Graph) -> set[str]:
    """What there is in a graph, that of the graphs inside left out: inputs, constants, results."""
    made = {value.name for value in graph.inputs} | set(graph.constants)
    return made.union(*(node.outputs for node in graph.nodes)) - {""}


def every_node(graph: Graph) -> Iterator[Node]:
    """The nodes of a graph and of the graphs inside it."""
    for node in graph.nodes:
        yield node
        for subgraph in node.subgraphs:
            yield from every_node(subgraph)


def without_unused(graph: Graph) -> Graph:
    """The graph without the nodes and constants that no output is made of."""
    wanted, nodes = {value.name for value in graph.outputs}, list[Node]()
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            wanted |= used(node)
            nodes.append(node)
    constants = {name: array for name, array in graph.constants.items() if name in wanted}
    return replace(graph, nodes=tuple(reversed(nodes)), constants=constants)
