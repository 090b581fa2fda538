"""Where a network ends: what is done after it to its logits."""

from __future__ import annotations

from collections.abc import Iterator

from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter

AFTER = frozenset({"LogSoftmax", "Sigmoid", "Softmax"})
"""Operators that make something for people of logits, and keep their order."""

PASSING = frozenset({"ArgMax", "Cast", "Flatten", "Identity", "Reshape", "Squeeze"})
"""Operators through which a network's end is looked for."""


def to_logits(network: Network) -> tuple[Network, tuple[Node, ...]]:
    """The network with logits [n, k] as its only output, and the nodes that were behind them.

    It stays as it is if its outputs are not all made of the same value.
    """
    graph = Lookup(network.graph, network.weights)
    ends = [end_of(graph, output.name) for output in network.outputs]
    sources = {source for source, _ in ends}
    behind = {node.outputs[0]: node for _, nodes in ends for node in reversed(nodes)}
    if len(sources) != 1 or not behind:
        return network, ()
    (source,) = sources
    # What stands behind the softmax may bring the classes into a row, which the logits need too.
    in_rows = any(node.operator in ("Flatten", "Reshape", "Squeeze") for node in behind.values())
    return _ending_in(network, source, in_rows or graph.rank(source) > 2), tuple(behind.values())


def end_of(graph: Lookup, output: str) -> tuple[str, list[Node]]:
    """The logits that an output is made of, and the nodes that make it of them, the last first.

    Itself and none if it is no such end.
    """
    path = list(_back(graph, output))
    ends = [at for at, node in enumerate(path) if node.operator in AFTER | {"ArgMax"}]
    if not ends:
        return output, []
    return path[ends[-1]].inputs[0], path[: ends[-1] + 1]


def _back(graph: Lookup, name: str) -> Iterator[Node]:
    """The nodes from an output back, as far as they could be its end."""
    while (node := graph.maker(name, *AFTER, *PASSING)) is not None:
        yield node
        name = node.inputs[0]


def _ending_in(network: Network, source: str, in_rows: bool) -> Network:
    """The network up to a value, flattened to rows if asked."""
    rewriter = Rewriter(network.graph, network.weights)
    known = rewriter.known(source)
    dtype = network.outputs[0].dtype if known is None else known.dtype
    if in_rows:
        source = rewriter.append("Flatten", (source,), "logits", {"axis": 1})
    rewriter.give(Value(source, dtype, None))
    return rewriter.applied_to(network)
