"""A network in parts that are timed alone: a layer with heavy work, and what follows it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.network.graph import Dimension, Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.used import used

HEAVY = frozenset({"Attention", "Conv", "ConvTranspose", "GRU", "Gemm", "LSTM", "MatMul", "RNN"})
"""What a part begins with; runtimes fuse what follows into it."""
STEERING = 64
"""Arrays of whole numbers up to this many elements say what a node does; others are data."""


def parts(network: Network, lengths: Mapping[str, int]) -> list[Network]:
    """The parts in the order of the nodes, each a network of its own, without free lengths.

    `lengths` are those of the network's free ones, the batch included. What stands in front of the
    first heavy node belongs to it. A network with an inner value of unknown shape is one part.
    """
    values = _values(network)
    numbers = _part_numbers(network.graph)
    nodes = defaultdict(list)
    for node, number in zip(network.graph.nodes, numbers, strict=True):
        nodes[number].append(node)
    fixed = {name: _fixed(value, lengths) for name, value in values.items()}
    elsewhere = _taken_elsewhere(network.graph, numbers)
    split = [_part(network, own, fixed, elsewhere) for _, own in sorted(nodes.items())]
    split = [part for part in split if part.outputs]
    ends = {value.name for part in split for value in (*part.inputs, *part.outputs)}
    if any(not _is_known(fixed[name]) for name in ends):
        return [network.changed(inputs=[fixed[value.name] for value in network.inputs])]
    return split


def lengths_of(network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The free lengths of a network, as its inputs have them."""
    return {
        name: length
        for value in network.inputs
        for name, length in zip(value.shape or (), inputs[value.name].shape, strict=True)
        if isinstance(name, str)
    }


def signature(part: Network) -> str:
    """What a part's time depends on, in 16 characters: operators, attributes, shapes, not values.

    Names do not matter; arrays of few whole numbers do, such as the lengths of a Reshape.
    """
    order: dict[str, int] = {}
    arrays = {**part.graph.constants, **part.weights}

    def place(name: str) -> Any:
        if name in arrays:
            return _kind(arrays[name])
        return order.setdefault(name, len(order))

    ends = [(place(v.name), v.dtype.name, v.shape) for v in (*part.inputs, *part.outputs)]
    nodes = [
        (
            node.domain,
            node.operator,
            [place(name) if name else "" for name in (*node.inputs, *node.outputs)],
            sorted((key, _attribute(value)) for key, value in node.attributes.items()),
        )
        for node in part.graph.nodes
    ]
    return hashlib.sha256(repr((ends, nodes)).encode()).hexdigest()[:16]


def title(part: Network) -> str:
    """What a part is called: its heavy node, else its first one."""
    heavy = [node for node in part.graph.nodes if node.operator in HEAVY]
    return (heavy or part.graph.nodes)[0].label


def _kind(array: np.ndarray) -> tuple[Any, ...]:
    if array.dtype.kind in "iu" and array.size <= STEERING:
        return array.dtype.name, array.shape, array.ravel().tolist()
    return array.dtype.name, array.shape


def _attribute(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return repr(_kind(value))
    return repr(value)


def _values(network: Network) -> dict[str, Value]:
    """What is known of everything that a node makes or the network takes."""
    graph = network.graph
    made = [name for node in graph.nodes for name in node.outputs if name]
    unknown = {name: Value(name, np.dtype(np.void), None) for name in made}
    ends = {value.name: value for value in (*graph.inputs, *graph.outputs)}
    return {**unknown, **graph.values, **ends}


def _part_numbers(graph: Graph) -> list[int]:
    """Of each node, in which part it is: that of the latest value that it takes."""
    part_of: dict[str, int] = {}
    numbers = []
    heavy = 0
    for node in graph.nodes:
        if node.operator in HEAVY:
            heavy += 1
            number = heavy
        else:
            number = max((part_of.get(name, 1) for name in used(node)), default=1)
        part_of.update(dict.fromkeys(node.outputs, number))
        numbers.append(number)
    return numbers


def _taken_elsewhere(graph: Graph, numbers: Sequence[int]) -> set[str]:
    """The values that another part takes than that which makes them, or the user."""
    maker: dict[str, int] = {}
    elsewhere = {value.name for value in graph.outputs}
    for node, number in zip(graph.nodes, numbers, strict=True):
        elsewhere.update(name for name in used(node) if maker.get(name, number) != number)
        maker.update(dict.fromkeys(node.outputs, number))
    return elsewhere


def _part(
    network: Network, nodes: list[Node], values: Mapping[str, Value], elsewhere: Set[str]
) -> Network:
    """The network of these nodes; what stands `elsewhere` of what they make are its outputs."""
    graph = network.graph
    made = {name for node in nodes for name in node.outputs if name}
    taken = dict.fromkeys(name for node in nodes for name in _in_order(node))
    outputs = tuple(values[name] for name in _made_in_order(nodes) if name in elsewhere)
    weights = {name: array for name, array in network.weights.items() if name in taken}
    constants = {name: array for name, array in graph.constants.items() if name in taken}
    arrays = weights.keys() | constants.keys()
    inputs = tuple(values[name] for name in taken if name not in made and name not in arrays)
    inner = {name: values[name] for name in made if _is_known(values[name])}
    for value in outputs:
        inner.pop(value.name, None)
    new = replace(
        graph,
        inputs=inputs,
        outputs=outputs,
        nodes=tuple(nodes),
        constants=constants,
        values=inner,
        name=nodes[0].operator,
    )
    return Network(new, weights, network.trainable & weights.keys())


def _made_in_order(nodes: Iterable[Node]) -> Iterator[str]:
    """What nodes make, in their order."""
    return (name for node in nodes for name in node.outputs if name)


def _in_order(node: Node) -> Iterator[str]:
    """What a node takes, itself first and then by the graphs inside it."""
    yield from filter(None, node.inputs)
    yield from sorted(used(node) - set(node.inputs))


def _fixed(value: Value, lengths: Mapping[str, int]) -> Value:
    if value.shape is None:
        return value
    return replace(value, shape=tuple(_length(n, lengths) for n in value.shape))


def _length(n: Dimension, lengths: Mapping[str, int]) -> Dimension:
    return lengths.get(n, n) if isinstance(n, str) else n


def _is_known(value: Value) -> bool:
    return value.shape is not None and all(isinstance(n, int) for n in value.shape)
