"""x times its own sigmoid as one step, as frameworks have it.

ONNX has Swish since opset 24; files write it as Sigmoid and Mul, of which each keeps an array of
its own for the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.one_step import with_one_step


def with_swish(graph: Graph, weights: Mapping[str, np.ndarray]) -> Graph:
    """The graph with every such pair as one node; the same graph if there is none."""
    return with_one_step(graph, weights, "Sigmoid", _swish)


def _swish(lookup: Lookup, sigmoid: Node) -> Node | None:
    (x,), (output,) = sigmoid.inputs, sigmoid.outputs
    product = lookup.only_user(output)
    if product is None or product.operator != "Mul" or product.domain:
        return None
    if sorted(product.inputs) != sorted((x, output)):
        return None
    return Node("Swish", (x,), product.outputs, {}, product.name)
