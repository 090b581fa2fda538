"""What a file says goes in and out of it: a runtime may know operators that nobody else does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import GraphProto, NodeProto

from allotrope.errors import UsageError
from allotrope.network.graph import UNKNOWN, Value
from allotrope.network.reading.read import read_model
from allotrope.network.reading.shapes import value_of

_SAME_SHAPE = frozenset(
    {"Add", "Cast", "DequantizeLinear", "Div", "Identity", "Mul", "QuantizeLinear", "Sub"}
)
"""Operators that often stand between an input and the first layer and leave its shape as it is."""
_CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "FusedConv", "NhwcFusedConv"})
_PRODUCTS = frozenset({"FusedGemm", "FusedMatMul", "Gemm", "MatMul"})


@dataclass(frozen=True)
class Declared:
    """The inputs and outputs of a file.

    A free length without a name is called by its place, `input:axis`.

    `lengths` holds what the first layer's weights say of free lengths, by their names.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    lengths: Mapping[str, int]


def declared(path: Path) -> Declared:
    """What a file says of itself; its arrays are not looked at.

    Raises: ModelError for a file that is no ONNX model, UsageError for inputs that are no tensors,
    or of unknown rank.
    """
    graph = read_model(path).graph
    arrays = {tensor.name for tensor in graph.initializer} | {
        sparse.values.name for sparse in graph.sparse_initializer
    }
    inputs = [value_of(info) for info in graph.input if info.name not in arrays]
    others = [
        f"'{value.name}'" for value in inputs if value.dtype == UNKNOWN or value.shape is None
    ]
    if others:
        raise UsageError(
            f"nothing can be made up for the inputs {', '.join(others)}: no tensors, or of an "
            "unknown number of axes."
        )
    named = tuple(_named(value) for value in inputs)
    return Declared(
        named, tuple(value_of(info) for info in graph.output), dict(_lengths(graph, named))
    )


def _named(value: Value) -> Value:
    shape = value.shape or ()
    return Value(
        value.name,
        value.dtype,
        tuple(f"{value.name}:{axis}" if axis and n is None else n for axis, n in enumerate(shape)),
    )


def _lengths(graph: GraphProto, inputs: tuple[Value, ...]) -> Iterator[tuple[str, int]]:
    """Lengths that a first layer has: the channels of a convolution, the rows of a matrix."""
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    shapes = {value.name: value.shape or () for value in inputs}
    for node in graph.node:
        if not node.input or node.input[0] not in shapes:
            continue
        shape = shapes[node.input[0]]
        if node.op_type in _SAME_SHAPE and node.output:
            shapes[node.output[0]] = shape
        weight = None
        if len(node.input) > 1:
            weight = weights.get(node.input[1])
        if weight:
            axis, length = _fed(node, weight, len(shape))
        else:
            axis, length = 0, 0
        if length and isinstance(name := shape[axis], str):
            yield name, length


def _fed(node: NodeProto, weight: list[int], rank: int) -> tuple[int, int]:
    """The axis of a layer's input that its weight fixes, and its length.

    0 and 0 where it fixes none.
    """
    attributes = {
        attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    if node.op_type in _CONVOLUTIONS and len(weight) == rank > 1:
        return 1, weight[1] * int(attributes.get("group", 1))
    if node.op_type in _PRODUCTS and len(weight) == 2 and rank > 1 and not attributes.get("transA"):
        return rank - 1, weight[1 if attributes.get("transB") else 0]
    return 0, 0
