"""Quantized files whose ends are whole numbers: what stands within a network takes and gives these.

A part that is timed alone would else be charged for rounding what it takes, and for the way back.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, ValueInfoProto


def bare_ends(file: Path) -> None:
    """Leaves out the QuantizeLinear behind each input and the DequantizeLinear before each output.

    Whatever else takes such an input, or such an output, keeps it as it is.
    """
    model = onnx.load(file)
    graph = model.graph
    users: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    types = {array.name: array.data_type for array in graph.initializer}
    for value in graph.input:
        _bare_input(graph, value, users[value.name], types)
    makers = {name: node for node in graph.node for name in node.output}
    for value in graph.output:
        maker = makers.get(value.name)
        if maker is not None and not users[value.name]:
            _bare_output(graph, value, maker, types)
    onnx.save(model, file)


def _bare_input(
    graph: GraphProto, value: ValueInfoProto, users: list[NodeProto], types: dict[str, int]
) -> None:
    rounds = {(node.op_type, *node.input[1:]) for node in users}
    if len(rounds) != 1 or users[0].op_type != "QuantizeLinear" or len(users[0].input) < 3:
        return
    name = users[0].output[0]
    for node in users:
        graph.node.remove(node)
        _rename(graph, node.output[0], name)
    value.name = name
    value.type.tensor_type.elem_type = types[users[0].input[2]]


def _bare_output(
    graph: GraphProto, value: ValueInfoProto, maker: NodeProto, types: dict[str, int]
) -> None:
    if maker.op_type != "DequantizeLinear" or len(maker.input) < 3:
        return
    graph.node.remove(maker)
    value.name = maker.input[0]
    value.type.tensor_type.elem_type = types[maker.input[2]]


def _rename(graph: GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new


def numbers_for(session_input: ValueInfoProto, random: np.random.Generator) -> np.ndarray:
    """Numbers for an input of known shape; whole ones are small enough to be indices."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(session_input.type.tensor_type.elem_type)
    shape = [n.dim_value for n in session_input.type.tensor_type.shape.dim]
    if dtype.kind == "f":
        return random.normal(size=shape).astype(dtype)
    if dtype.kind == "u":
        return random.integers(0, 100, shape).astype(dtype)
    return np.zeros(shape, dtype)
