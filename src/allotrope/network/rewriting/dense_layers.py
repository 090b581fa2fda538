"""A product with a matrix and the bias that is added to it as one step, as frameworks have it.

Exporters write a dense layer over [..., k] as MatMul and Add, since Gemm takes matrices alone.
Frameworks have one kernel for both. Files hold the two nodes, never the one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.one_step import with_one_step

DOMAIN, OPERATOR = "allotrope", "Dense"
"""What the one step is called; its meaning is in `operators/linear.py`."""


def with_dense_layers(graph: Graph, weights: Mapping[str, np.ndarray]) -> Graph:
    """The graph with every such pair as one node; the same graph if there is none."""
    return with_one_step(graph, weights, "MatMul", _dense_layer)


def _dense_layer(lookup: Lookup, product: Node) -> Node | None:
    x, weight = product.inputs
    (output,) = product.outputs
    added = lookup.only_user(output)
    if added is None or added.operator != "Add" or added.domain:
        return None
    if lookup.rank(x) < 2 or lookup.rank(weight) != 2:
        return None
    bias = next((name for name in added.inputs if name != output), output)
    if not _is_bias(lookup, bias, weight):
        return None
    return Node(OPERATOR, (x, weight, bias), added.outputs, {}, product.name, DOMAIN)


def _is_bias(lookup: Lookup, name: str, weight: str) -> bool:
    """Whether a float array has a number for each column of the weight."""
    array, matrix = lookup.arrays.get(name), lookup.shape(weight)
    if array is None or matrix is None:
        return False
    return array.dtype.kind == "f" and array.shape == matrix[1:]
