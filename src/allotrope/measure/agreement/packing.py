"""Any network as one of a single input and a single output, which is what trainers take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx

from allotrope.network.graph import Node, Value
from allotrope.network.network import Network

INPUT, OUTPUT = "packed.inputs", "packed.outputs"


def packed(network: Network, shapes: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]], dtype: np.dtype) -> Network:
    """The network with all its inputs in one array [1, elements], and the float `outputs` in another.

    `shapes` are of the inputs, in their order. Integers and booleans travel as floats, so they must be small enough to be exact.
    """
    constants: dict[str, np.ndarray] = {}
    nodes: list[Node] = []
    start = 0
    for value in network.inputs:
        stop = start + math.prod(shapes[value.name])
        nodes += _unpacked(value, start, stop, shapes[value.name], constants)
        start = stop
    nodes += [*network.graph.nodes, *_gathered(list(outputs), dtype, constants)]
    width = sum(math.prod(shape) for shape in outputs.values())
    graph = replace(
        network.graph,
        inputs=(Value(INPUT, dtype, (1, start)),),
        outputs=(Value(OUTPUT, dtype, (1, width)),),
        nodes=tuple(nodes),
        constants={**network.graph.constants, **constants},
    )
    return network.changed(graph=graph)


def pack(inputs: Mapping[str, np.ndarray], dtype: np.dtype) -> np.ndarray:
    """The inputs as one array [1, elements], in their order."""
    return np.concatenate([array.reshape(-1).astype(dtype) for array in inputs.values()])[None]


def _unpacked(value: Value, start: int, stop: int, shape: Sequence[int], constants: dict[str, np.ndarray]) -> list[Node]:
    """The nodes that take an input out of the array of all."""
    part, whole = f"packed.{value.name}.part", f"packed.{value.name}.whole"
    bounds = {f"packed.{value.name}.{key}": [number] for key, number in (("start", start), ("stop", stop), ("axis", 1))}
    constants |= {name: np.array(numbers, np.int64) for name, numbers in bounds.items()}
    constants[f"packed.{value.name}.shape"] = np.array(shape, np.int64)
    return [
        Node("Slice", (INPUT, *bounds), (part,), {}, part),
        Node("Reshape", (part, f"packed.{value.name}.shape"), (whole,), {}, whole),
        Node("Cast", (whole,), (value.name,), {"to": onnx.helper.np_dtype_to_tensor_dtype(value.dtype)}, f"packed.{value.name}"),
    ]


def _gathered(outputs: Sequence[str], dtype: np.dtype, constants: dict[str, np.ndarray]) -> list[Node]:
    """The nodes that put outputs one after the other."""
    constants["packed.row"] = np.array([1, -1], np.int64)
    nodes, rows = [], []
    for name in outputs:
        row, cast = f"packed.{name}.row", f"packed.{name}.cast"
        nodes.append(Node("Reshape", (name, "packed.row"), (row,), {}, row))
        nodes.append(Node("Cast", (row,), (cast,), {"to": onnx.helper.np_dtype_to_tensor_dtype(dtype)}, cast))
        rows.append(cast)
    return [*nodes, Node("Concat", tuple(rows), (OUTPUT,), {"axis": 1}, OUTPUT)]
