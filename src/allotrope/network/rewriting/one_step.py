"""Nodes for which frameworks have one step become one, where they compute and only there.

Files hold the nodes that ONNX has, never the one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.rewriting.rewriter import Rewriter

Join = Callable[[Rewriter, Node], Node | None]
"""The one node for a node and another beside it; None if these two are not what it stands for."""


def with_one_step(
    graph: Graph, weights: Mapping[str, np.ndarray], operator: str, join: Join
) -> Graph:
    """The graph with `join` of each node of ONNX's `operator` in the place of the two.

    The same graph if it has none. Nodes in the graphs inside it stay as they are.
    """
    if not any(node.operator == operator for node in graph.nodes):
        return graph
    rewriter = Rewriter(graph, weights)
    for node in list(rewriter.nodes()):
        if node.operator == operator and not node.domain:
            one = join(rewriter, node)
            if one is not None:
                rewriter.replace(list(dict.fromkeys([*node.outputs, *one.outputs])), [one])
    return rewriter.result()
