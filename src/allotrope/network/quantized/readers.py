"""What ONNX's operators over quantized arrays stand for."""

from __future__ import annotations

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.quantized.following import Dequantizing, input_of, reader
from allotrope.network.quantized.grid import Grid


@reader("QuantizeLinear")
def _quantize(graph: Dequantizing, node: Node) -> None:
    x, scale, zero_point = node.inputs[0], node.inputs[1], input_of(node, 2)
    key = graph.grid(
        scale, zero_point, node.attributes.get("axis", 1), node.attributes.get("block_size", 0)
    )
    if key is None:
        return
    if x in graph.constants:
        graph.says(node.outputs[0], key, x)
        return
    end = x in graph.begins or _only_an_end(graph, node)
    graph.says(
        node.outputs[0], key, graph.limit(x, key, graph.dtype(zero_point, node.outputs[0]), end)
    )


def _only_an_end(graph: Dequantizing, node: Node) -> bool:
    """Whether what is quantized is an output of the network and nothing else."""
    users = graph.users.get(node.outputs[0], [])
    return bool(users) and all(
        user.operator == "DequantizeLinear" and user.outputs[0] in graph.ends for user in users
    )


@reader("DynamicQuantizeLinear")
def _quantize_dynamically(graph: Dequantizing, node: Node) -> None:
    if len(node.outputs) == 3:
        graph.says(node.outputs[0], ("run", node.outputs[1], node.outputs[2]), node.inputs[0])
        graph.run_scales.add(node.outputs[1])


@reader("DequantizeLinear")
def _dequantize(graph: Dequantizing, node: Node) -> None:
    key = graph.grid(
        node.inputs[1],
        input_of(node, 2),
        node.attributes.get("axis", 1),
        node.attributes.get("block_size", 0),
    )
    stands_for = graph.stands_for(node.inputs[0], key)
    if stands_for is not None and not node.attributes.get("output_dtype"):
        graph.replaced(node.outputs[0], stands_for)


@reader("QLinearConv")
def _convolve(graph: Dequantizing, node: Node) -> None:
    x, w, y = node.inputs[:3], node.inputs[3:6], node.inputs[6:8]
    keys = graph.grid(x[1], x[2]), graph.grid(w[1], w[2], axis=0), graph.grid(y[0], y[1])
    inputs = [graph.stands_for(x[0], keys[0]), graph.stands_for(w[0], keys[1])]
    bias = input_of(node, 8)
    if bias and keys[0] in graph.grids and keys[1] in graph.grids:
        inputs.append(_bias(graph, bias, graph.grids[keys[0]], graph.grids[keys[1]]))
    if None not in (*inputs, keys[2]) and len(inputs) == 2 + bool(bias):
        made = graph.add(
            "Conv", map(str, inputs), f"{node.outputs[0]}.float", dict(node.attributes)
        )
        graph.says(node.outputs[0], keys[2], graph.limit(made, keys[2], graph.dtype(y[1])))


def _bias(graph: Dequantizing, name: str, x: Grid, weight: Grid) -> str | None:
    """An int32 bias in units of both scales."""
    scale = x.scale.reshape(-1) * weight.scale.reshape(-1)
    key = Grid(scale if scale.size > 1 else scale.reshape(()), np.zeros((), np.int32), 0).key
    graph.grids.setdefault(
        key, Grid(scale if scale.size > 1 else scale.reshape(()), np.zeros((), np.int32), 0)
    )
    return graph.stands_for(name, key)


@reader("QLinearMatMul")
def _multiply(graph: Dequantizing, node: Node) -> None:
    a, b, y = node.inputs[:3], node.inputs[3:6], node.inputs[6:8]
    keys = graph.grid(a[1], a[2], axis=-2), graph.grid(b[1], b[2], axis=-1), graph.grid(y[0], y[1])
    inputs = [graph.stands_for(a[0], keys[0]), graph.stands_for(b[0], keys[1])]
    if None not in (*inputs, keys[2]):
        made = graph.add("MatMul", map(str, inputs), f"{node.outputs[0]}.float")
        graph.says(node.outputs[0], keys[2], graph.limit(made, keys[2], graph.dtype(y[1])))
