"""What ONNX's operators over quantized arrays stand for."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.rewriting.ends import AFTER, PASSING
from allotrope.network.rewriting.quantized.grid import Grid, is_small
from allotrope.network.rewriting.quantized.integers import Dequantizing, reader


@reader("QuantizeLinear")
def _quantize(graph: Dequantizing, node: Node) -> None:
    x, scale, zero_point = node.inputs[0], node.inputs[1], node.input(2)
    key = graph.grid(
        scale, zero_point, node.attributes.get("axis", 1), node.attributes.get("block_size", 0)
    )
    if key is None:
        return
    if x in graph.constants:
        graph.says(node.outputs[0], key, x)
        return
    dtype = graph.dtype(zero_point, node.outputs[0])
    graph.says(node.outputs[0], key, _limited(graph, x, key, dtype, node))


def _limited(graph: Dequantizing, x: str, key: Hashable, dtype: np.dtype, node: Node) -> str:
    """x within the numbers of the grid that a node quantizes it to, if the limit means anything."""
    end = graph.outermost and (x in graph.begins or _only_an_end(graph, node))
    return graph.limit(x, key, dtype, end or _before_its_bias(graph, x, node))


def _only_an_end(graph: Dequantizing, node: Node) -> bool:
    """Whether what is quantized goes nowhere but to the network's end, perhaps as probabilities."""
    pending, seen = [node.outputs[0]], 0
    while pending:
        name = pending.pop()
        users = list(graph.before.users(name))
        seen += 1
        if (not users and name not in graph.ends) or seen > _FARTHEST:
            return False
        if any(user.domain or user.operator not in _ENDING for user in users):
            return False
        pending += [output for user in users for output in user.outputs if output]
    return True


_ENDING = AFTER | PASSING | {"DequantizeLinear", "QuantizeLinear"}
_FARTHEST = 16
"""How many values there may be between a network's last layer and its end."""


def _before_its_bias(graph: Dequantizing, x: str, node: Node) -> bool:
    """Whether x is a product to be shifted or scaled by an array: nobody limits that."""
    maker = graph.makers.get(x)
    if maker is None or maker.domain or maker.operator not in _PRODUCTS:
        return False
    plain = [output for user in graph.before.users(node.outputs[0]) for output in user.outputs]
    users = [user for name in plain for user in graph.before.users(name)]
    return bool(users) and all(
        user.operator in ("Add", "Mul")
        and not user.domain
        and any(graph.is_array(name) for name in user.inputs if name not in plain)
        for user in users
    )


_PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})


@reader("DynamicQuantizeLinear")
def _quantize_dynamically(graph: Dequantizing, node: Node) -> None:
    if len(node.outputs) == 3:
        graph.says(node.outputs[0], ("run", node.outputs[1], node.outputs[2]), node.inputs[0])
        graph.run_scales.add(node.outputs[1])


@reader("DequantizeLinear")
def _dequantize(graph: Dequantizing, node: Node) -> None:
    key = graph.grid(
        node.inputs[1],
        node.input(2),
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
    bias = node.input(8)
    if bias and keys[0] in graph.grids and keys[1] in graph.grids:
        inputs.append(_bias(graph, bias, graph.grids[keys[0]], graph.grids[keys[1]]))
    if None not in (*inputs, keys[2]) and len(inputs) == 2 + bool(bias):
        made = graph.add(
            "Conv", map(str, inputs), f"{node.outputs[0]}.float", dict(node.attributes)
        )
        limited = _limited(graph, made, keys[2], graph.dtype(y[1]), node)
        graph.says(node.outputs[0], keys[2], limited)


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
        limited = _limited(graph, made, keys[2], graph.dtype(y[1]), node)
        graph.says(node.outputs[0], keys[2], limited)


# --- what else quantizers write


@reader("Clip")
def _narrow(graph: Dequantizing, node: Node) -> None:
    """Integers within fewer bits than their type has, as QAT frameworks write 4 bits in int8."""
    bounds = [graph.constants.get(node.input(position)) for position in (1, 2)]
    for key, x in list(graph.floats.get(node.inputs[0], {}).items()):
        grid = graph.grids.get(key)
        if grid is None or not grid.single or any(b is None and n for b, n in _pairs(bounds, node)):
            continue
        if x in graph.constants:
            graph.says(node.outputs[0], key, x)
            continue
        names = [
            "" if bound is None else graph.constant(f"{node.outputs[0]}.limit", grid.numbers(bound))
            for bound in bounds
        ]
        limited = graph.add("Clip", (x, *names), f"{node.outputs[0]}.float")
        graph.says(node.outputs[0], key, limited)


def _pairs(bounds: list[np.ndarray | None], node: Node) -> list[tuple[np.ndarray | None, str]]:
    """Each bound that is an array of the file, and its name; empty if it is left out."""
    return list(zip(bounds, (node.input(1), node.input(2)), strict=True))


_FLOATS = {1: np.float32, 10: np.float16, 11: np.float64}
"""ONNX's numbers of the types that weights are computed in."""


@reader("Cast")
def _cast(graph: Dequantizing, node: Node) -> None:
    """Integers of the file as floats: what they stand for is said by arithmetic that follows."""
    if node.inputs[0] in graph.products:
        graph.products[node.outputs[0]] = graph.products[node.inputs[0]]
    array = graph.constants.get(node.inputs[0])
    to = _FLOATS.get(node.attributes["to"])
    if array is not None and is_small(array.dtype) and array.size > 1 and to is not None:
        graph.folded(node, array.astype(to), node.inputs[0])


@reader("Sub", "Div")
def _shift(graph: Dequantizing, node: Node) -> None:
    """A zero point or a scale of integers that were cast."""
    graph.arithmetic(node)
