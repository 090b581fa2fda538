"""A network that shows what every node computes: each inner value is an output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from allotrope.network.graph import UNKNOWN, Value
from allotrope.network.network import Network


def moving_values(network: Network) -> tuple[str, ...]:
    """What nodes make of inputs and weights, in the order of the graph.

    What is made of constants alone is the same everywhere.
    """
    moving = {value.name for value in network.inputs} | set(network.weights)
    names: list[str] = []
    for node in network.graph.nodes:
        if moving & set(node.inputs) or any(True for _ in node.subgraphs):
            made = [name for name in node.outputs if name]
            moving |= set(made)
            names += made
    return tuple(names)


def probed(network: Network, names: Sequence[str]) -> Network:
    """The network with the values `names` as its outputs."""
    known = {**network.graph.values, **{value.name: value for value in network.outputs}}
    outputs = tuple(known.get(name, Value(name, UNKNOWN, None)) for name in names)
    return network.changed(graph=replace(network.graph, outputs=outputs))
