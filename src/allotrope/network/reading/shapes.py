"""What is known of every value before it is computed: types and shapes, by ONNX's own inference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, ValueInfoProto

from allotrope.errors import ModelError
from allotrope.network.graph import UNKNOWN, Dimension, Graph, Node, Value
from allotrope.network.protos import model_of
from allotrope.network.reading.isolated import isolated
from allotrope.network.reading.opset import OPSET, schema

_ELEMENT_TYPES = frozenset(onnx.helper.get_all_tensor_dtypes())
_STEERING = 1024
"""Arrays up to this many elements are shown to the inference, which computes shapes from them; of larger ones it sees the type."""
_SCALES = 16
"""The same for arrays of floats, which are the scales of a Resize."""


def infer_shapes(graph: Graph, weights: Mapping[str, np.ndarray], opset: int = OPSET) -> Graph:
    """The graph with the type and shape of every value that can be inferred.

    An output keeps what was declared of it and learns the rest.

    Raises: ModelError where the graph contradicts itself so far that inference gives up.
    """
    arrays = {**graph.constants, **weights}
    small = {name: array for name, array in arrays.items() if _steers(array)}
    large = tuple(Value(name, array.dtype, array.shape) for name, array in arrays.items() if name not in small)
    nodes = tuple(_inferable(node) for node in graph.nodes)
    bare = replace(graph, inputs=(*graph.inputs, *large), constants=small, nodes=nodes)
    outputs = tuple(Value(v.name, UNKNOWN, None) if v.shape is None else v for v in graph.outputs)
    inferred = _inferred(replace(bare, outputs=outputs), opset)
    free = _free_names(graph.inputs)
    values = {info.name: value_of(info, free) for info in inferred.value_info if is_tensor(info)}
    free |= _free_names(graph.outputs)
    found = {info.name: value_of(info, free) for info in inferred.output if is_tensor(info)}
    return replace(graph, outputs=tuple(_merged(value, found.get(value.name)) for value in graph.outputs), values=values)


def _steers(array: np.ndarray) -> bool:
    return array.size <= (_SCALES if array.dtype.kind == "f" else _STEERING) and array.dtype.kind in "iubf"


def _inferred(graph: Graph, opset: int) -> GraphProto:
    model = ModelProto()
    try:
        model.ParseFromString(isolated("shapes", model_of(graph, opset).SerializeToString()))
    except ModelError as error:
        raise ModelError(f"the shapes in network '{graph.name}' cannot be inferred: {error}") from error
    return model.graph


def objection(node: Node, inputs: Sequence[Value], arrays: Mapping[str, np.ndarray]) -> str:
    """What ONNX's own inference has against a node with inputs of these types and shapes, and arrays; empty if nothing."""
    definition = schema(node.operator, node.domain)
    if definition is None:
        return ""
    if all(value.dtype != np.float32 for value in inputs):  # the reference computes what is float32 in float64
        inputs = [replace(v, dtype=np.dtype(np.float32)) if v.dtype == np.float64 else v for v in inputs]
    small = {name: array for name, array in arrays.items() if array.size <= _STEERING and array.dtype.kind in "iub"}
    outputs = tuple(Value(name, UNKNOWN, None) for name in node.outputs if name)
    graph = Graph(tuple(value for value in inputs if value.name not in small), outputs, (node,), small)
    try:
        isolated("judge", model_of(graph).SerializeToString())
    except ModelError as error:
        said = re.sub(r"^.*\(op_type:[^)]*\):|\[\w+Error\]", "", " ".join(str(error).split()))
        return said.strip()
    return ""


def _inferable(node: Node) -> Node:
    """GroupNormalization is the one operator for which onnx 1.23 infers nothing; its output is like its input."""
    return Node("Identity", node.inputs[:1], node.outputs) if node.operator == "GroupNormalization" else node


def is_tensor(info: ValueInfoProto) -> bool:
    """Whether it is declared to be a tensor of a known type."""
    return info.type.HasField("tensor_type") and info.type.tensor_type.elem_type in _ELEMENT_TYPES


def value_of(info: ValueInfoProto, free: set[str] | None = None) -> Value:
    """A declared value; names of lengths that are not in `free` are taken as unknown (None keeps all)."""
    if not is_tensor(info):
        return Value(info.name, UNKNOWN, None)
    tensor = info.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    if not tensor.HasField("shape"):
        return Value(info.name, dtype, None)
    return Value(info.name, dtype, tuple(_dimension(dimension, free) for dimension in tensor.shape.dim))


def _dimension(dimension: onnx.TensorShapeProto.Dimension, free: set[str] | None) -> Dimension:
    if dimension.HasField("dim_value"):
        return int(dimension.dim_value) if dimension.dim_value >= 0 else None
    name = str(dimension.dim_param)
    return name if name and (free is None or name in free) else None


def _free_names(values: Iterable[Value]) -> set[str]:
    return {length for value in values for length in value.shape or () if isinstance(length, str)}


def _merged(declared: Value, found: Value | None) -> Value:
    """What was declared, and what was found where nothing was."""
    if found is None:
        return declared
    if declared.shape is None or declared.dtype == UNKNOWN:
        return found if found.shape is not None or declared.shape is None else replace(declared, dtype=found.dtype)
    if found.shape is None or len(found.shape) != len(declared.shape):
        return declared
    return replace(declared, shape=tuple(old if old is not None else new for old, new in zip(declared.shape, found.shape, strict=True)))
