"""What a network is made of and what it costs: a table of layers, weights and multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from allotrope.errors import printable
from allotrope.network.graph import Dimension, Node, Value
from allotrope.network.reading.shapes import infer_shapes

if TYPE_CHECKING:
    from allotrope.network.network import Network

Shape = tuple[int, ...]
_HEADER = ("node", "operator", "output", "weights", "multiply-adds")

NORMALIZATIONS = frozenset(
    {
        "BatchNormalization",
        "InstanceNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "RMSNormalization",
    }
)


def is_normalized(network: Network) -> bool:
    """Whether anything in it is normalized by its own statistics or learned ones."""
    return any(node.operator in NORMALIZATIONS for node in network.graph.nodes)


def parameters(network: Network) -> int:
    """How many numbers training may change."""
    return sum(network.weights[name].size for name in network.trainable)


def multiply_adds(network: Network) -> int:
    """Multiply-adds of one example in convolutions, matrix products and recurrent layers.

    Nodes whose cost depends on a free length other than the batch are not in it.
    """
    return sum(cost or 0 for cost in multiply_adds_by_node(network))


def size_in_words(name: str, network: Network) -> str:
    """How many weights it learns, and what an example costs if that does not depend on lengths."""
    weights = f"{name} has {parameters(network):,} trainable weights"
    free = [x for x in network.inputs if any(isinstance(n, str) for n in (x.shape or ())[1:])]
    if free:
        return f"{weights}; what an example costs depends on its length."
    return f"{weights} and takes {multiply_adds(network):,} multiply-adds an example."


def multiply_adds_by_node(network: Network) -> tuple[int | None, ...]:
    """Multiply-adds of each node for one example.

    None where they depend on a length that is free.
    """
    shapes = _shapes(network)
    return tuple(_cost(node, shapes) for node in network.graph.nodes)


def table(network: Network) -> str:
    """A row a node: name, operator, output shapes, weights, multiply-adds; then the totals.

    Plain, aligned text.
    """
    costs = multiply_adds_by_node(network)
    known = {**network.graph.values, **{value.name: value for value in network.outputs}}
    counted: set[str] = set()
    rows = [_HEADER]
    for node, cost in zip(network.graph.nodes, costs, strict=True):
        own = {name for name in node.inputs if name in network.weights} - counted
        counted |= own
        size = sum(network.weights[name].size for name in own)
        shapes = " ".join(
            _brackets(known[name].shape) if name in known else "[?]"
            for name in node.outputs
            if name
        )
        rows.append((node.label, node.operator, shapes, f"{size:,}" if size else "", _count(cost)))
    first = f"{network.graph.name}: {_ends(network.inputs)} -> {_ends(network.outputs)}"
    lines = [first, *_aligned(rows), _totals(network, costs)]
    return "\n".join(printable(line).replace("\n", "\\n") for line in lines)


def _totals(network: Network, costs: Sequence[int | None]) -> str:
    state = sum(
        array.size for name, array in network.weights.items() if name not in network.trainable
    )
    atleast = "at least " if None in costs else ""
    nodes, learning = len(network.graph.nodes), parameters(network)
    totals = f"{nodes} nodes, {learning:,} trainable weights, {state:,} state"
    return f"{totals}, {atleast}{sum(cost or 0 for cost in costs):,} multiply-adds an example"


def _shapes(network: Network) -> dict[str, Shape | None]:
    """Every shape by name, for a batch of one; None where a length is unknown."""
    one = tuple(replace(x, shape=_single(x.shape)) if x.shape else x for x in network.inputs)
    graph = network.graph
    if one != network.inputs:
        outputs = tuple(Value(value.name, value.dtype, None) for value in network.outputs)
        graph = infer_shapes(replace(graph, inputs=one, outputs=outputs), network.weights)
    known = {
        value.name: _known(value.shape)
        for value in (*graph.values.values(), *graph.inputs, *graph.outputs)
    }
    return known | {
        name: array.shape for name, array in {**graph.constants, **network.weights}.items()
    }


def _single(shape: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
    """The shape of one example: the batch is the first axis, if free, or the only free one."""
    free = [axis for axis, length in enumerate(shape) if not isinstance(length, int)]
    batch = free[0] if free[:1] == [0] or len(free) == 1 else None
    return tuple(1 if axis == batch else length for axis, length in enumerate(shape))


def _known(shape: tuple[Dimension, ...] | None) -> Shape | None:
    lengths = tuple(length for length in shape or () if isinstance(length, int))
    return None if shape is None or len(lengths) < len(shape) else lengths


def _cost(node: Node, shapes: Mapping[str, Shape | None]) -> int | None:
    """Each element that a convolution or product gives is one sum over the kernel or inner axis."""
    inputs = [shapes.get(name) if name else None for name in node.inputs]
    output = shapes.get(node.outputs[0])
    match node.operator:
        case "Conv" | "ConvInteger" | "DeformConv":
            return _times(output, inputs[1] and inputs[1][1:])
        case "QLinearConv":
            return _times(output, inputs[3] and inputs[3][1:])
        case "ConvTranspose":
            return _times(inputs[0], inputs[1] and inputs[1][1:])
        case "Gemm":
            return _times(
                output,
                inputs[0] and (inputs[0][:1] if node.attributes.get("transA") else inputs[0][-1:]),
            )
        case "MatMul" | "MatMulInteger" | "QLinearMatMul":
            return _times(output, inputs[0] and inputs[0][-1:])
        case "LSTM" | "GRU" | "RNN":
            kernels = inputs[1] and inputs[2] and (math.prod(inputs[1]) + math.prod(inputs[2]),)
            return _times(inputs[0] and inputs[0][:2], kernels)
    return 0


def _times(*shapes: Shape | None) -> int | None:
    return None if None in shapes else math.prod(math.prod(shape or ()) for shape in shapes)


def _ends(values: Sequence[Value]) -> str:
    return ", ".join(f"{value.name} {value.dtype} {_brackets(value.shape)}" for value in values)


def _brackets(shape: tuple[Dimension, ...] | None) -> str:
    if shape is None:
        return "[?]"
    return f"[{', '.join('?' if length is None else str(length) for length in shape)}]"


def _count(cost: int | None) -> str:
    if cost is None:
        return "?"
    return f"{cost:,}" if cost else ""


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = (False, False, False, True, True)
    cells = [
        [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        for row in rows
    ]
    lines = ["  ".join(row).rstrip() for row in cells]
    rule = "-" * max(map(len, lines))
    return [lines[0], rule, *lines[1:], rule]
