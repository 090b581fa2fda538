"""Where a network ends: what is done after it to its logits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from allotrope.network.graph import Node, Value
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network
from allotrope.network.used import without_unused

AFTER = frozenset({"LogSoftmax", "Sigmoid", "Softmax"})
"""Operators that make something for people of logits, and keep their order."""

PASSING = frozenset({"ArgMax", "Cast", "Flatten", "Identity", "Reshape", "Squeeze"})
"""Operators through which a network's end is looked for."""


def to_logits(network: Network) -> tuple[Network, tuple[Node, ...]]:
    """The network with the logits of its classes [n, k] as its only output, and the nodes that were taken off behind them.

    It stays as it is where its outputs are not all made of the same value.
    """
    makers = {name: node for node in network.graph.nodes for name in node.outputs}
    ends = [end_of(output.name, makers) for output in network.outputs]
    sources = {source for source, _ in ends}
    behind = list(dict.fromkeys(node.outputs[0] for _, nodes in ends for node in reversed(nodes)))
    if len(sources) != 1 or not behind:
        return network, ()
    (source,) = sources
    taken_off = tuple(makers[name] for name in behind)
    # What stands behind the softmax may bring the classes into a row, which the logits need too.
    in_rows = any(node.operator in ("Flatten", "Reshape", "Squeeze") for node in taken_off)
    return _ending_in(network, source, in_rows), taken_off


def end_of(output: str, makers: Mapping[str, Node]) -> tuple[str, list[Node]]:
    """The logits that an output is made of, and the nodes that make it of them, the last first; itself and none if it is no such end."""
    path = list(_back(output, makers))
    last = max((at for at, node in enumerate(path) if node.operator in AFTER | {"ArgMax"}), default=-1)
    return (path[last].inputs[0] if last >= 0 else output), path[: last + 1]


def _back(name: str, makers: Mapping[str, Node]) -> Iterator[Node]:
    """The nodes from an output back, as far as they could be its end."""
    while (node := makers.get(name)) is not None and node.operator in AFTER | PASSING and not node.domain:
        yield node
        name = node.inputs[0]


def _ending_in(network: Network, source: str, in_rows: bool) -> Network:
    """The network up to a value, which is flattened to rows where it has more axes than two."""
    graph, nodes = network.graph, network.graph.nodes
    known = {value.name: value for value in (*graph.inputs, *graph.outputs)} | dict(graph.values)
    found = known.get(source)
    if in_rows or (found is not None and found.shape is not None and len(found.shape) > 2):
        name = free_name("logits", names_in(graph) | set(network.weights))
        nodes = (*nodes, Node("Flatten", (source,), (name,), {"axis": 1}, name))
        source = name
    dtype = found.dtype if found is not None else network.outputs[0].dtype
    ending = replace(graph, nodes=nodes, outputs=(Value(source, dtype, None),))
    return network.changed(graph=without_unused(ending))
