"""What a network is made of and what it costs: a table of its layers, its weights and multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.network.graph import Dimension, Node
from allotrope.network.network import Network

Shape = tuple[int, ...]


def parameters(network: Network) -> int:
    """How many numbers training may change."""
    return sum(network.weights[name].size for name in network.trainable)


def multiply_adds(network: Network) -> int:
    """Multiply-adds of one forward pass of one example, in convolutions, matrix products and recurrent layers."""
    return sum(multiply_adds_by_node(network))


def multiply_adds_by_node(network: Network) -> tuple[int, ...]:
    """Multiply-adds of each node, for one example; 0 where a shape that is needed is unknown."""
    shapes = _shapes(network)
    return tuple(_cost(node, shapes) for node in network.graph.nodes)


def table(network: Network) -> str:
    """A row a node: name, operator, output shape, weights, multiply-adds; then the totals. Plain, aligned text."""
    costs, counted = multiply_adds_by_node(network), set[str]()
    rows = [("node", "operator", "output", "weights", "multiply-adds")]
    for node, cost in zip(network.graph.nodes, costs, strict=True):
        own = {name for name in node.inputs if name in network.weights} - counted
        counted |= own
        size = sum(network.weights[name].size for name in own)
        rows.append((node.name or next(filter(None, node.outputs), ""), node.operator, _output(network, node), _count(size), _count(cost)))
    inputs = ", ".join(f"{value.name}: {value.dtype} {_brackets(value.shape)}" for value in network.inputs)
    outputs = ", ".join(f"{value.name}: {value.dtype} {_brackets(value.shape)}" for value in network.outputs)
    state = sum(array.size for name, array in network.weights.items() if name not in network.trainable)
    totals = f"{len(network.graph.nodes)} nodes, {parameters(network):,} trainable weights, {state:,} state, {sum(costs):,} multiply-adds"
    return "\n".join([f"{network.graph.name}: {inputs} -> {outputs}", *_aligned(rows), totals])


def _shapes(network: Network) -> dict[str, Shape | None]:
    """Every shape by name, with free lengths taken as 1; None where one is unknown."""
    known = {value.name: _one(value.shape) for value in (*network.graph.values.values(), *network.inputs, *network.outputs)}
    return known | {name: array.shape for name, array in {**network.graph.constants, **network.weights}.items()}


def _one(shape: tuple[Dimension, ...] | None) -> Shape | None:
    if shape is None or None in shape:
        return None
    return tuple(length if isinstance(length, int) else 1 for length in shape)


def _cost(node: Node, shapes: Mapping[str, Shape | None]) -> int:
    inputs = [shapes.get(name) if name else None for name in node.inputs]
    output = shapes.get(node.outputs[0])
    x, weight = (*inputs, None, None)[:2]
    if weight is None:
        return 0
    if node.operator in ("Conv", "ConvInteger", "QLinearConv", "DeformConv"):
        weight = inputs[3] if node.operator == "QLinearConv" else weight
        return math.prod(output) * math.prod(weight[1:]) if output and weight else 0
    if node.operator == "ConvTranspose":
        return math.prod(x) * math.prod(weight[1:]) if x else 0
    if node.operator in ("MatMul", "MatMulInteger", "QLinearMatMul", "Gemm"):
        inner = x[0] if x and node.operator == "Gemm" and node.attributes.get("transA") else x[-1] if x else 0
        return math.prod(output) * inner if output is not None else 0
    if node.operator in ("LSTM", "GRU", "RNN") and x and inputs[2]:
        steps = x[0] * x[1]
        return steps * (math.prod(weight) + math.prod(inputs[2]))
    return 0


def _output(network: Network, node: Node) -> str:
    known = network.graph.values | {value.name: value for value in network.outputs}
    return " ".join(_brackets(known[name].shape) if name in known else "[?]" for name in node.outputs if name)


def _brackets(shape: tuple[Dimension, ...] | None) -> str:
    return "[?]" if shape is None else "[" + ", ".join("?" if length is None else str(length) for length in shape) + "]"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = np.array([[len(cell) for cell in row] for row in rows]).max(axis=0)
    lines = ["  ".join(c.rjust(w) if i > 2 else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
    rule = "-" * max(len(line) for line in lines)
    return [lines[0], rule, *lines[1:], rule]
