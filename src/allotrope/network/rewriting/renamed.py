"""Values under other names: inputs, outputs and what lies between; weights keep theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from allotrope.errors import UsageError
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network


def renamed(network: Network, names: Mapping[str, str]) -> Network:
    """The network with other names for these values: `names` is old to new.

    An inner value that has one of the new names already gives way. Nodes keep their names, which
    say where random numbers come from.

    Raises: UsageError if a new name is a weight's, or two values would have one name.
    """
    names = {old: new for old, new in names.items() if old != new}
    _check(network, names)
    taken = names_in(network.graph) | set(network.weights) | set(names.values())
    away = {new: free_name(new, taken) for new in names.values() if _gives_way(network, new, names)}
    graph = _graph(network.graph, {**names, **away})
    return Network(graph, network.weights, network.trainable, network.metadata)


def _check(network: Network, names: Mapping[str, str]) -> None:
    known = names_in(network.graph)
    problems = [f"there is no value '{old}'" for old in names if old not in known]
    fixed = set(network.weights) | {value.name for value in (*network.inputs, *network.outputs)}
    fixed -= names.keys()
    problems += [
        f"'{old}' cannot be called '{new}': a weight, input or output is"
        for old, new in names.items()
        if new in fixed
    ]
    if len(set(names.values())) < len(names):
        problems.append("two values would have one name")
    if problems:
        raise UsageError(f"values of the network cannot be renamed: {'; '.join(problems)}.")


def _gives_way(network: Network, name: str, names: Mapping[str, str]) -> bool:
    return name not in names and name in names_in(network.graph)


def _graph(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph and those inside it, which see the values around them."""
    return replace(
        graph,
        inputs=tuple(_value(value, names) for value in graph.inputs),
        outputs=tuple(_value(value, names) for value in graph.outputs),
        nodes=tuple(_node(node, names) for node in graph.nodes),
        constants={names.get(name, name): array for name, array in graph.constants.items()},
        values={names.get(name, name): _value(value, names) for name, value in graph.values.items()},
    )


def _value(value: Value, names: Mapping[str, str]) -> Value:
    return replace(value, name=names.get(value.name, value.name))


def _node(node: Node, names: Mapping[str, str]) -> Node:
    attributes = {
        name: _graph(part, names) if isinstance(part, Graph) else part
        for name, part in node.attributes.items()
    }
    return replace(
        node,
        inputs=tuple(names.get(name, name) for name in node.inputs),
        outputs=tuple(names.get(name, name) for name in node.outputs),
        attributes=attributes,
    )
