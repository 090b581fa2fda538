"""Small steps that exporters take apart and frameworks have as one layer, put together again.

This is done before a network is converted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from allotrope.network.graph import Graph, Node
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter


def simplified(graph: Graph, network: Network) -> Graph:
    """The graph with fewer nodes: a bias is added by its product, x * sigmoid(x) is Swish."""
    rewriter = Rewriter(graph, network.weights)
    for node in rewriter.nodes():
        for rule in RULES:
            whole = rule(node, rewriter)
            if whole is not None:
                rewriter.replace((*node.outputs, *whole.outputs), [whole])
                break
    return rewriter.result()


def _bias(node: Node, graph: Rewriter) -> Node | None:
    """Add after MatMul with a matrix of weights, where it adds one number to each column."""
    if node.operator != "MatMul" or len(node.inputs) != 2 or not _is_weight(graph, node.inputs[1]):
        return None
    matrix, add = graph.arrays[node.inputs[1]], graph.only_user(node.outputs[0])
    if matrix.ndim != 2 or add is None or add.operator != "Add" or add.inputs[0] == add.inputs[1]:
        return None
    (bias,) = (name for name in add.inputs if name != node.outputs[0])
    if not _is_weight(graph, bias) or graph.arrays[bias].shape != matrix.shape[1:]:
        return None
    return replace(node, inputs=(*node.inputs, bias), outputs=add.outputs)


def _swish(node: Node, graph: Rewriter) -> Node | None:
    """Mul of x and sigmoid(x)."""
    if node.operator != "Sigmoid":
        return None
    product = graph.only_user(node.outputs[0])
    if product is None or product.operator != "Mul":
        return None
    if set(product.inputs) != {node.inputs[0], node.outputs[0]}:
        return None
    return replace(product, operator="Swish", inputs=node.inputs)


def _is_weight(graph: Rewriter, name: str) -> bool:
    return name in graph.arrays and name not in graph.graph.constants


RULES: tuple[Callable[[Node, Rewriter], Node | None], ...] = (_bias, _swish)
