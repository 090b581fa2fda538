"""The names of the values in a graph, and new ones."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.network.graph import Graph, Node


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


_NAMED = 5


def called(node: Node) -> str:
    """What a node is called in messages."""
    return node.name or node.outputs[0]


def listed(names: Sequence[str]) -> str:
    """The first names in quotes, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + more
