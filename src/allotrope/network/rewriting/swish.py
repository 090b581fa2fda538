"""x times its own sigmoid as one step, as frameworks have it.

ONNX has Swish since opset 24; files write it as Sigmoid and Mul, of which each keeps an array of
its own for the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter


def with_swish(graph: Graph, weights: Mapping[str, np.ndarray]) -> Graph:
    """The graph with every such pair as one node; the same graph if there is none.

    Pairs in the graphs inside it stay as they are.
    """
    if not any(node.operator == "Sigmoid" for node in graph.nodes):
        return graph
    rewriter = Rewriter(graph, weights)
    for node in list(rewriter.nodes()):
        if node.operator == "Sigmoid" and not node.domain:
            swish = _swish(rewriter, node)
            if swish is not None:
                rewriter.replace([*node.outputs, *swish.outputs], [swish])
    return rewriter.result()


def _swish(lookup: Lookup, sigmoid: Node) -> Node | None:
    (x,), (output,) = sigmoid.inputs, sigmoid.outputs
    product = lookup.only_user(output)
    if product is None or product.operator != "Mul" or product.domain:
        return None
    if sorted(product.inputs) != sorted((x, output)):
        return None
    return Node("Swish", (x,), product.outputs, {}, product.name)
