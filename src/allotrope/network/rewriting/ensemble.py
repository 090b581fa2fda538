"""Several networks for the same question as one that answers the mean of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from allotrope.network.graph import Graph, Node, Value
from allotrope.network.names import names_in, renamed
from allotrope.network.network import Network
from allotrope.network.zoo.tabular import MEMBERS


def ensemble(networks: Sequence[Network]) -> Network:
    """One network of the inputs and outputs [n, k] that all of these have, side by side.

    An output is the mean of theirs. Beside it `<name>.members` [n, m * k] has each, so that each
    learns by a loss of its own. Weights are called `member1.…`, `member2.…` and so on.
    """
    first = networks[0]
    if len(networks) == 1:
        return first
    parts = [apart(network, f"member{number}") for number, network in enumerate(networks, 1)]
    ends = []
    for place, value in enumerate(first.outputs):
        answers = tuple(part.outputs[place].name for part in parts)
        flat, size = f"{value.name}{MEMBERS}", int((value.shape or (0, 0))[1] or 0)
        whole = Value(flat, value.dtype, ("n", size * len(parts)))
        ends.append((value, Node("Mean", answers, (value.name,), {}, f"{value.name}.mean")))
        ends.append((whole, Node("Concat", answers, (flat,), {"axis": 1}, flat)))
    graphs = [part.graph for part in parts]
    graph = Graph(
        first.inputs,
        tuple(value for value, _ in ends),
        (*(node for graph in graphs for node in graph.nodes), *(node for _, node in ends)),
        {name: array for graph in graphs for name, array in graph.constants.items()},
        {name: value for graph in graphs for name, value in graph.values.items()},
        name=first.graph.name,
    )
    weights = {name: array for part in parts for name, array in part.weights.items()}
    trainable = frozenset(name for part in parts for name in part.trainable)
    return Network(graph, weights, trainable, first.metadata)


def apart(network: Network, name: str) -> Network:
    """The network with a name in front of all of its own but its inputs."""
    taken = {value.name for value in network.inputs}
    every = (names_in(network.graph) | set(network.weights)) - taken
    names = {old: f"{name}.{old}" for old in every if old}
    graph = renamed(network.graph, names)
    nodes = tuple(replace(node, name=f"{name}.{node.name}") for node in graph.nodes)
    weights = {names[old]: array for old, array in network.weights.items()}
    return Network(replace(graph, nodes=nodes), weights, {names[old] for old in network.trainable})
