"""Operators of old opsets in the newest: those whose inputs were attributes, and the like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.graph import Node
from allotrope.network.reading.adapters import Upgrade, attribute_to_input, before, changed


@before(7, "Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor")
def _stretched(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 7 the second operand could be stretched along axes of the first."""
    plain = changed(node, drop=("axis", "broadcast"))
    if not node.attributes.get("broadcast") or "axis" not in node.attributes:
        return [plain]
    first, second = (up.rank(name) for name in node.inputs)
    return _with_axes_after(plain, up, first - node.attributes["axis"] % first - second)


@before(7, "PRelu")
def _parametric_relu(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 7 the slopes were by channel, whatever came after."""
    return _with_axes_after(node, up, up.rank(node.inputs[0]) - 1 - up.rank(node.inputs[1]))


def _with_axes_after(node: Node, up: Upgrade, count: int) -> list[Node]:
    """The node with so many axes of length 1 after those of its second operand."""
    if count <= 0:
        return [node]
    axes, longer = up.constant(node, "axes", np.arange(-count, 0)), up.fresh(node, "longer")
    return [
        Node("Unsqueeze", (node.inputs[1], axes), (longer,), {}, longer),
        changed(node, inputs=(node.inputs[0], longer)),
    ]


@before(7, "AveragePool", "GRU", "Gemm", "LSTM", "RNN")
def _without_hints(node: Node, up: Upgrade) -> list[Node]:
    """Before opset 7 Gemm said that it stretches its bias, recurrent layers what is wanted."""
    return [changed(node, drop=("broadcast", "output_sequence"))]


@before(
    18,
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSumSquare",
)
@before(13, "ReduceSum", "Squeeze", "Unsqueeze")
def _axes(node: Node, up: Upgrade) -> list[Node]:
    return [attribute_to_input(node, up, "axes", 1)]


@before(10, "Slice")
def _slice(node: Node, up: Upgrade) -> list[Node]:
    for position, attribute in enumerate(("starts", "ends", "axes"), start=1):
        node = attribute_to_input(node, up, attribute, position)
    return [node]


@before(10, "TopK")
def _topk(node: Node, up: Upgrade) -> list[Node]:
    return [attribute_to_input(node, up, "k", 1)]


@before(18, "Split")
def _split(node: Node, up: Upgrade) -> list[Node]:
    node = attribute_to_input(node, up, "split", 1)
    return [node if len(node.inputs) > 1 else changed(node, num_outputs=len(node.outputs))]


@before(11, "Clip")
def _clip(node: Node, up: Upgrade) -> list[Node]:
    dtype = up.dtype(node.inputs[0])
    bounds = [
        up.constant(node, k, np.array(node.attributes[k], dtype)) if k in node.attributes else ""
        for k in ("min", "max")
    ]
    while bounds and not bounds[-1]:
        bounds.pop()
    return [changed(node, drop=("min", "max"), inputs=(node.inputs[0], *bounds))]


@before(11, "Pad")
def _pad(node: Node, up: Upgrade) -> list[Node]:
    value = float(node.attributes.get("value", 0.0))
    node = changed(attribute_to_input(node, up, "pads", 1), drop=("value",))
    if value == 0.0:
        return [node]
    return [
        changed(
            node,
            inputs=(
                *node.inputs,
                up.constant(node, "value", np.array(value, up.dtype(node.inputs[0]))),
            ),
        )
    ]


@before(11, "Scatter")
def _scatter(node: Node, up: Upgrade) -> list[Node]:
    return [replace(node, operator="ScatterElements")]


@before(20, "DFT")
def _dft(node: Node, up: Upgrade) -> list[Node]:
    return [
        attribute_to_input(
            changed(node, axis=node.attributes.get("axis", 1)), up, "axis", 2, scalar=True
        )
    ]


@before(16, "RoiAlign")
def _roi_align(node: Node, up: Upgrade) -> list[Node]:
    return [changed(node, coordinate_transformation_mode="output_half_pixel")]


@before(9, "Scan")
def _scan(node: Node, up: Upgrade) -> list[Node]:
    raise UnsupportedError("Scan over a batch of sequences")
