"""The names of the values in a graph: which there are, new ones, and others in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from allotrope.network.graph import Graph, Node, Value

_LISTED = 5


def names_in(graph: Graph) -> set[str]:
    """Every name of a value in the graph and in those inside it."""
    own = {value.name for value in (*graph.inputs, *graph.outputs)} | set(graph.constants)
    for node in graph.nodes:
        own |= set(node.inputs) | set(node.outputs)
        own.update(*(names_in(subgraph) for subgraph in node.subgraphs))
    return own


def free_name(name: str, taken: set[str]) -> str:
    """The name, or it with the first number that makes it new; it is then taken."""
    new, number = name, 1
    while new in taken:
        number += 1
        new = f"{name}_{number}"
    taken.add(new)
    return new


def listed(names: Sequence[str]) -> str:
    """The first names in quotes, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(f"'{name}'" for name in names[:_LISTED]) + more


def renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph, and those inside it, with other names for some values, wherever these stand."""
    return replace(
        graph,
        inputs=tuple(_value(value, names) for value in graph.inputs),
        outputs=tuple(_value(value, names) for value in graph.outputs),
        nodes=tuple(with_names(node, names) for node in graph.nodes),
        constants={names.get(name, name): array for name, array in graph.constants.items()},
        values={value.name: value for value in (_value(v, names) for v in graph.values.values())},
    )


def with_names(node: Node, names: Mapping[str, str]) -> Node:
    """The node, and the graphs inside it, with other names for some values."""
    if not names:
        return node
    node = replace(
        node,
        inputs=tuple(names.get(name, name) for name in node.inputs),
        outputs=tuple(names.get(name, name) for name in node.outputs),
    )
    return node.with_subgraphs(lambda inner: renamed(inner, names))


def _value(value: Value, names: Mapping[str, str]) -> Value:
    return replace(value, name=names.get(value.name, value.name))
