"""What is done to the raw input of a network before the network begins."""

from __future__ import annotations

from collections import Counter

from allotrope.network.graph import Graph, Node
from allotrope.network.used import used

BEFORE = frozenset({"Add", "Cast", "Div", "Identity", "Mul", "Sub", "Transpose"})
"""Operators that prepare raw input, if they see nothing else than it and arrays."""


def preprocessing(graph: Graph) -> tuple[Node, ...]:
    """The nodes that prepare the input before the network: arithmetic on it and on arrays alone."""
    raw = {value.name for value in graph.inputs}
    before = []
    for node in graph.nodes:
        taken = [name for name in node.inputs if name not in graph.constants]
        if node.operator in BEFORE and not node.domain and taken and raw.issuperset(taken):
            raw.update(node.outputs)
            before.append(node)
    return tuple(before)


def preprocessing_arrays(graph: Graph) -> frozenset[str]:
    """The arrays that only prepare the input: a number, or one a channel.

    An array with more axes, such as the embedding of positions, is more than the preparation of an
    input.
    """
    uses = Counter(name for node in graph.nodes for name in used(node))
    before = Counter(name for node in preprocessing(graph) for name in used(node))
    alone = {
        name for name, count in before.items() if name in graph.constants and uses[name] == count
    }
    return frozenset(
        name for name in alone if sum(length > 1 for length in graph.constants[name].shape) <= 1
    )
