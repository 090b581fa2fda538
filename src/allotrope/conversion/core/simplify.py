"""Small steps that exporters take apart and frameworks have as one layer, put together again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.network import Network


def read_by(node: Node) -> Iterator[str]:
    """The values that a node reads, also in its subgraphs."""
    yield from node.inputs
    for graph in node.subgraphs:
        yield from (value.name for value in graph.outputs)
        for inner in graph.nodes:
            yield from read_by(inner)


class _Uses:
    """What uses which value, and which arrays there are."""

    def __init__(self, graph: Graph, network: Network) -> None:
        self.arrays: dict[str, np.ndarray] = {**graph.constants, **network.weights}
        self.weights = network.weights
        self.users: dict[str, list[Node]] = defaultdict(list)
        self.makers = {name: node for node in graph.nodes for name in node.outputs}
        self.outputs = {value.name for value in graph.outputs}
        for node in graph.nodes:
            for name in read_by(node):
                self.users[name].append(node)

    def only_user(self, name: str) -> Node | None:
        """The one node that uses a value which is no output."""
        users = self.users[name]
        if len(users) == 1 and name not in self.outputs:
            return users[0]
        return None


def simplified(graph: Graph, network: Network) -> Graph:
    """The graph with MatMul and the Add of its bias as one MatMul, and x * sigmoid(x) as Swish.

    Such a MatMul has three inputs.
    """
    uses = _Uses(graph, network)
    changed: dict[int, Node] = {}
    gone: set[int] = set()
    for node in graph.nodes:
        for rule in RULES:
            step = rule(node, uses)
            if step is not None:
                last, new, dropped = step
                changed[id(last)] = new
                gone.add(id(dropped))
    # By identity: two nodes may be equal in all that they hold.
    nodes = (changed.get(id(node), node) for node in graph.nodes if id(node) not in gone)
    return replace(graph, nodes=tuple(nodes))


Step = tuple[Node, Node, Node]
"""The node that changes, what it becomes, and the node that goes."""


def _bias(node: Node, uses: _Uses) -> Step | None:
    """Add after MatMul with a matrix of weights, where it adds one number to each column."""
    if node.operator != "MatMul" or len(node.inputs) != 2 or node.inputs[1] not in uses.weights:
        return None
    matrix, add = uses.weights[node.inputs[1]], uses.only_user(node.outputs[0])
    if matrix.ndim != 2 or add is None or add.operator != "Add" or add.inputs[0] == add.inputs[1]:
        return None
    (bias,) = (name for name in add.inputs if name != node.outputs[0])
    if bias not in uses.weights or uses.weights[bias].shape != matrix.shape[1:]:
        return None
    return add, replace(node, inputs=(*node.inputs, bias), outputs=add.outputs), node


def _swish(node: Node, uses: _Uses) -> Step | None:
    """Mul of x and sigmoid(x)."""
    if node.operator != "Sigmoid":
        return None
    product = uses.only_user(node.outputs[0])
    if (
        product is None
        or product.operator != "Mul"
        or set(product.inputs) != {node.inputs[0], node.outputs[0]}
    ):
        return None
    return product, replace(product, operator="Swish", inputs=node.inputs), node


RULES: tuple[Callable[[Node, _Uses], Step | None], ...] = (_bias, _swish)
