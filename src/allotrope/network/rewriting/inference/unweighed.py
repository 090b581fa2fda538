"""Features that weigh nothing in a dense layer are left out, with all that only they are made of.

So ends a network beside a linear model to which training added nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.network import Network
from allotrope.network.rewriting.inference.passed_on import source_of
from allotrope.network.rewriting.rewriter import Rewriter


def without_unweighed(network: Network) -> Network:
    """The network whose dense layers take of several joined features those that weigh anything."""
    graph = Rewriter(network.graph, network.weights)
    lightened = [_lightened(graph, node) for node in graph.nodes()]
    if not any(lightened):
        return network
    return graph.applied_to(network)


def _lightened(graph: Rewriter, node: Node) -> bool:
    """Whether the node is a dense layer that another has taken the place of."""
    joined = _joined(graph, node)
    if joined is None:
        return False
    by_feature = _by_feature(graph, node)
    sizes = [_features(graph, part) for part in joined.inputs]
    if by_feature is None or None in sizes or sum(filter(None, sizes)) != len(by_feature):
        return False
    ends = np.cumsum([size for size in sizes if size is not None])
    heavy = [bool(part.any()) for part in np.split(by_feature, ends[:-1])]
    if all(heavy) or not any(heavy):
        return False
    _put_lighter(graph, node, joined, heavy, np.repeat(heavy, np.diff(ends, prepend=0)))
    return True


def _joined(graph: Rewriter, node: Node) -> Node | None:
    """The node that joins several features [n, k] to those that a dense layer takes."""
    dense = node.operator in ("Gemm", "MatMul") and not node.domain
    if not dense or node.attributes.get("transA"):
        return None
    joined = graph.maker(source_of(graph, node.inputs[0]), "Concat")
    if joined is None or graph.rank(joined.outputs[0]) != 2:
        return None
    return joined if joined.attributes["axis"] in (1, -1) else None


def _by_feature(graph: Rewriter, node: Node) -> np.ndarray | None:
    """The layer's weight with the features in front, [k, m]; None if it is computed."""
    weight = graph.arrays.get(node.inputs[1])
    if weight is None or weight.ndim != 2:
        return None
    return weight.T if node.attributes.get("transB") else weight


def _features(graph: Rewriter, name: str) -> int | None:
    shape = graph.shape(name)
    size = None if shape is None else shape[-1]
    return size if isinstance(size, int) else None


def _put_lighter(
    graph: Rewriter, node: Node, joined: Node, heavy: Sequence[bool], features: np.ndarray
) -> None:
    """The layer over the parts that are `heavy`; `features` bool [k] are theirs."""
    axis = 1 if node.attributes.get("transB") else 0
    weight = graph.arrays[node.inputs[1]].compress(features, axis)
    name = graph.weight(node.inputs[1], weight)
    parts = tuple(part for part, weighs in zip(joined.inputs, heavy, strict=True) if weighs)
    nodes, taken = [], parts[0]
    if len(parts) > 1:
        taken = graph.fresh(joined.outputs[0])
        nodes.append(replace(joined, inputs=parts, outputs=(taken,), name=taken))
    others = node.inputs[2:]
    graph.replace(node.outputs, [*nodes, replace(node, inputs=(taken, name, *others))])
