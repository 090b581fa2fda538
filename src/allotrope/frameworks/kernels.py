"""Which weights a trainer may store as TensorFlow's and JAX's kernels take them."""

from __future__ import annotations

import math
from collections.abc import Collection

from allotrope.network.graph import Dimension, Graph, Node
from allotrope.network.network import Network
from allotrope.network.used import every_node

STORED = (2, 3, 1, 0)
"""The axes of a convolution's weight [m, c / groups, kh, kw] in the order [kh, kw, c / groups, m].
"""
NAMED = (3, 2, 0, 1)
"""The axes of a stored weight in the order that the network's file has."""


def convolution_weights(network: Network, graph: Graph) -> frozenset[str]:
    """The weights [m, c / groups, kh, kw] that only convolutions in the lowered graph read.

    They read them as their weight. Stored so, they need not be turned in every step.
    """
    names = _read_only_by(("Conv",), 1, graph) & network.weights.keys()
    return frozenset(name for name in names if network.weights[name].ndim == 4)


def dense_weights(network: Network, graph: Graph) -> dict[str, tuple[int, int, int, int]]:
    """The weights [m, k] that nothing reads but Gemms, as their transposed B, or products so.

    With each the shape [m, c, h, w] that it has as a kernel.

    Over features that were flattened, k = c * h * w: the weight is that of a convolution over all
    of [n, c, h, w]. Else h = w = 1.
    """
    makers = {name: node for node in every_node(graph) for name in node.outputs}
    gemms = {
        node.inputs[1]: node
        for node in every_node(graph)
        if node.operator == "Gemm" and node.attributes.get("transB", 0)
    }
    names = _read_only_by(("Gemm",), 1, graph) & gemms.keys() & network.weights.keys()
    flattened = {
        name: _as_kernel(network.weights[name].shape, makers.get(gemms[name].inputs[0]), graph)
        for name in names
    }
    return {**flattened, **_turned_for_products(network, graph)}


def _turned_for_products(network: Network, graph: Graph) -> dict[str, tuple[int, int, int, int]]:
    """The weights [m, k] that are turned for the right side of products and for nothing else."""
    turned: dict[str, set[str]] = {}
    for node in every_node(graph):
        if node.operator == "Transpose":
            turned.setdefault(node.inputs[0], set()).add(node.outputs[0])
    multiplied = _read_only_by(("MatMul", "Dense"), 1, graph)
    names = _read_only_by(("Transpose",), 0, graph) & network.weights.keys()
    return {
        name: (*network.weights[name].shape, 1, 1)
        for name in names
        if network.weights[name].ndim == 2 and turned[name] <= multiplied
    }


def _read_only_by(operators: Collection[str], place: int, graph: Graph) -> frozenset[str]:
    """The values that are this input of these operators and nothing else."""
    read = {
        (node.operator, position, name)
        for node in every_node(graph)
        for position, name in enumerate(node.inputs)
    }
    here = {name for reader, position, name in read if reader in operators and position == place}
    elsewhere = {
        name for reader, position, name in read if reader not in operators or position != place
    }
    elsewhere |= {value.name for value in graph.outputs}
    return frozenset(here - elsewhere)


def _as_kernel(
    shape: tuple[int, ...], before: Node | None, graph: Graph
) -> tuple[int, int, int, int]:
    """A weight's shape [m, k] as [m, c, h, w], where the node `before` flattens [n, c, h, w]."""
    m, k = shape
    image: tuple[Dimension, ...] = ()
    if before is not None and before.operator in ("Flatten", "Reshape"):
        flattened = graph.values.get(before.inputs[0])
        if flattened is not None and flattened.shape is not None:
            image = flattened.shape[1:]
    lengths = [length for length in image if isinstance(length, int)]
    if len(image) == 3 and len(lengths) == 3 and math.prod(lengths) == k:
        return m, lengths[0], lengths[1], lengths[2]
    return m, k, 1, 1
