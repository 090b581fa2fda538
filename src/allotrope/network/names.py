"""The names of the values in a graph, and new ones."""

from __future__ import annotations

from allotrope.network.graph import Graph


def names_in(graph: Graph) -> set[str]:
    """Every name of a value in the graph and in those inside it."""
    own = {value.name for value in (*graph.inputs, *graph.outputs)} | set(graph.constants)
    for node in graph.nodes:
        own |= set(node.inputs) | set(node.outputs)
        own.update(*(names_in(subgraph) for subgraph in node.subgraphs))
    return own


def free_name(name: str, taken: set[str]) -> str:
    """The name, or it with the first number that makes it new; it is then taken."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found
