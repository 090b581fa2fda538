"""Blocks of layers that can be left out: all goes in by one value and out by one of its shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from allotrope.network.graph import Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.used import used, without_unused


@dataclass(frozen=True)
class RemovableBlock:
    """What is made of `begin` until `end`, which has the same shape, and the weights of that.

    Nothing else enters, and nothing of what is between is taken behind it.
    """

    begin: str
    end: str
    weights: frozenset[str]


@dataclass(frozen=True)
class _Passage:
    """A value through which all goes that comes of the inputs, and the node that makes it."""

    value: Value
    maker: Node
    place: int


def blocks(network: Network) -> list[RemovableBlock]:
    """The blocks of a network with weights of several axes that learn, in their order.

    A block ends in what it begins with: in a sum if its begin is added there, as in a residual
    network, else in a value that the same operator makes, such as an activation; what makes the
    end takes no such weights itself. None contains another one with fewer weights.
    """
    passages, made_of = list(_passages(network)), _made_of(network)
    every = []
    for number, last in enumerate(passages):
        block = _ending_in(network.graph, made_of, passages[:number], last)
        if block is not None:
            every.append(block)
    longest = {block.weights: block for block in every}
    return [
        block
        for block in longest.values()
        if not any(other.weights < block.weights for other in every)
    ]


def without(network: Network, block: RemovableBlock) -> Network:
    """The network in which whatever takes the end of a block takes its begin.

    Weights that nothing takes any more are gone; all others are as they were.
    """
    graph = network.graph
    inside = {id(node) for node in _between(graph, block.begin, block.end)}
    outside = [node for node in graph.nodes if id(node) not in inside]
    nodes = tuple(_taking(node, block) for node in outside)
    return network.changed(graph=without_unused(replace(graph, nodes=nodes)))


def shortest(network: Network) -> Network:
    """The network without any block that can be left out."""
    while known := blocks(network):
        network = without(network, known[0])
    return network


def _taking(node: Node, block: RemovableBlock) -> Node:
    inputs = tuple(block.begin if name == block.end else name for name in node.inputs)
    return replace(node, inputs=inputs)


def _passages(network: Network) -> Iterator[_Passage]:
    """The values beside which no other one is alive that comes of the inputs.

    Outputs of the network, and what the graphs inside a node take, are none: their names stay.
    """
    graph = network.graph
    known = dict(graph.values)
    last = _last_uses(graph)
    fixed = {value.name for value in graph.outputs} | _taken_inside(graph)
    alive = {value.name for value in graph.inputs}
    for place, node in enumerate(graph.nodes):
        if not used(node) & alive:
            continue
        alive |= {name for name in node.outputs if name in last}
        alive = {name for name in alive if last.get(name, place) > place}
        if len(alive) == 1:
            (name,) = alive
            if name in node.outputs and name in known and name not in fixed:
                yield _Passage(known[name], node, place)


def _last_uses(graph: Graph) -> dict[str, int]:
    """Where each value is taken for the last time; an output behind all nodes."""
    last = {name: place for place, node in enumerate(graph.nodes) for name in used(node)}
    return last | {value.name: len(graph.nodes) for value in graph.outputs}


def _taken_inside(graph: Graph) -> set[str]:
    return {name for node in graph.nodes for name in used(node) - set(node.inputs)}


def _ending_in(
    graph: Graph,
    made_of: Mapping[str, frozenset[str]],
    before: Sequence[_Passage],
    last: _Passage,
) -> RemovableBlock | None:
    """The shortest block that ends in a value and learns; None if there is none."""
    if _weights_of([last.maker], made_of):
        return None
    for first in reversed(before):
        if not (_is_alike(first.value, last.value) and _closes(first, last)):
            continue
        begin, end = first.value.name, last.value.name
        weights = _weights_of(_between(graph, begin, end), made_of)
        if weights:
            return RemovableBlock(begin, end, weights)
    return None


def _weights_of(nodes: Iterable[Node], made_of: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """What nodes take of weights of several axes that learn."""
    taken = {name for node in nodes for name in used(node)}
    return frozenset[str]().union(*(made_of.get(name, ()) for name in taken))


def _is_alike(one: Value, other: Value) -> bool:
    is_known = one.shape is not None and None not in one.shape
    return is_known and (one.shape, one.dtype) == (other.shape, other.dtype)


def _closes(first: _Passage, last: _Passage) -> bool:
    """Whether the end of a block is such a value as its begin."""
    if last.maker.operator == "Add" and first.value.name in last.maker.inputs:
        return True
    return (first.maker.operator, first.maker.domain) == (last.maker.operator, last.maker.domain)


def _made_of(network: Network) -> dict[str, frozenset[str]]:
    """Of each array, also of those that nodes make of arrays: which weights it is made of.

    Only weights of several axes that learn.
    """
    graph = network.graph
    learning = {name for name in network.trainable if network.weights[name].ndim > 1}
    arrays = (*graph.constants, *network.weights)
    made_of = {name: frozenset({name} & learning) for name in arrays}
    for node in graph.nodes:
        taken = used(node)
        if taken <= made_of.keys():
            weights = frozenset[str]().union(*(made_of[name] for name in taken))
            made_of |= dict.fromkeys(filter(None, node.outputs), weights)
    return made_of


def _between(graph: Graph, begin: str, end: str) -> Iterator[Node]:
    """The nodes that make `end` of `begin`, a passage; not those that make arrays for them."""
    behind = {begin}
    for node in graph.nodes:
        if used(node) & behind:
            behind.update(filter(None, node.outputs))
            yield node
        if end in node.outputs:
            return
