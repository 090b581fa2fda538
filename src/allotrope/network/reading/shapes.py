"""What is known of every value before it is computed: types and shapes, by ONNX's own inference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, ValueInfoProto

from allotrope.errors import ModelError
from allotrope.network.graph import UNKNOWN, Dimension, Graph, Node, Value
from allotrope.network.protos import model_of
from allotrope.network.reading.isolated import isolated
from allotrope.network.reading.opset import OPSET, schema
from allotrope.network.used import used

_ELEMENT_TYPES = frozenset(onnx.helper.get_all_tensor_dtypes())
_STEERING = 1024
"""Arrays up to this many elements are shown to the inference, which computes shapes from them.

Of larger ones it sees the type.
"""
_SCALES = 16
"""The same for arrays of floats, which are the scales of a Resize."""


def infer_shapes(graph: Graph, weights: Mapping[str, np.ndarray], opset: int = OPSET) -> Graph:
    """The graph with the type and shape of every value that can be inferred, whatever it says now.

    An output keeps what was declared of it and learns the rest.

    Raises: ModelError where the graph contradicts itself so far that inference gives up.
    """
    arrays = {**graph.constants, **weights}
    small = {name: array for name, array in arrays.items() if _steers(array)}
    large = tuple(
        Value(name, array.dtype, array.shape) for name, array in arrays.items() if name not in small
    )
    nodes = tuple(_inferable(node) for node in graph.nodes)
    bare = replace(graph, inputs=(*graph.inputs, *large), constants=small, nodes=nodes)
    outputs = tuple(Value(v.name, UNKNOWN, None) if v.shape is None else v for v in graph.outputs)
    inferred = _inferred(replace(bare, outputs=outputs), opset)
    free = _free_names(graph.inputs)
    values = {info.name: value_of(info, free) for info in inferred.value_info if is_tensor(info)}
    free |= _free_names(graph.outputs)
    ends = {info.name: value_of(info, free) for info in inferred.output if is_tensor(info)}
    learned = tuple(_merged(value, ends.get(value.name)) for value in graph.outputs)
    return replace(graph, outputs=learned, values=values)


def with_shapes(graph: Graph, weights: Mapping[str, np.ndarray]) -> Graph:
    """The graph with the type and shape of each value of which it does not say them; others stay.

    Only what is around these is shown to the inference, so that a change costs what it changes.

    Raises: ModelError as `infer_shapes`.
    """
    if not graph.values:
        return infer_shapes(graph, weights)
    outputs = tuple(_merged(value, graph.values.get(value.name)) for value in graph.outputs)
    graph = replace(graph, outputs=outputs)
    known = {value.name: value for value in outputs} | dict(graph.values)
    known = {name: value for name, value in known.items() if _is_settled(value)}
    results = {name for node in graph.nodes for name in node.outputs if name}
    missing = results - known.keys()
    old = {name: value for name, value in graph.values.items() if name in results}
    if not missing:
        return replace(graph, values=old)
    known |= {value.name: value for value in graph.inputs}
    part = infer_shapes(_around(missing, graph, known, weights), weights)
    new = {name: value for name, value in part.values.items() if name in missing}
    ends = {value.name: value for value in part.outputs}
    outputs = tuple(ends.get(value.name, value) for value in outputs)
    return replace(graph, outputs=outputs, values={**old, **new})


def _is_settled(value: Value) -> bool:
    return value.dtype != UNKNOWN and value.shape is not None and None not in value.shape


def _around(
    missing: Set[str], graph: Graph, known: Mapping[str, Value], weights: Mapping[str, np.ndarray]
) -> Graph:
    """The nodes that make the missing values, with those that make what steers them."""
    wanted, nodes, free = set(missing), list[Node](), _free_names(graph.inputs)
    for node in reversed(graph.nodes):
        if wanted.isdisjoint(node.outputs):
            continue
        nodes.append(node)
        # Integers may be a shape that is computed: inference follows it to where it is counted.
        wanted |= {name for name in used(node) if name in known and known[name].dtype.kind in "iub"}
    nodes.reverse()
    made = {name for node in nodes for name in node.outputs}
    outside = set[str]().union(*(used(node) for node in nodes)) - made
    return replace(
        graph,
        inputs=tuple(
            _in_terms_of(free, known[name])
            for name in sorted(outside & known.keys() - weights.keys())
        ),
        outputs=tuple(value for value in graph.outputs if value.name in made & missing),
        nodes=tuple(nodes),
        constants={name: a for name, a in graph.constants.items() if name in outside},
        values={},
    )


def _in_terms_of(free: Set[str], value: Value) -> Value:
    """The value with none but these names for lengths: an output may give one of its own."""
    shape = value.shape and tuple(
        None if isinstance(length, str) and length not in free else length for length in value.shape
    )
    return replace(value, shape=shape)


def for_inputs(graph: Graph, inputs: Sequence[Value], weights: Mapping[str, np.ndarray]) -> Graph:
    """The graph for inputs of other shapes, with all that follows from these.

    Raises: ModelError as `infer_shapes`.
    """
    outputs = tuple(replace(value, shape=None) for value in graph.outputs)
    return infer_shapes(replace(graph, inputs=tuple(inputs), outputs=outputs), weights)


def _steers(array: np.ndarray) -> bool:
    most = _SCALES if array.dtype.kind == "f" else _STEERING
    return array.size <= most and array.dtype.kind in "iubf"


def _inferred(graph: Graph, opset: int) -> GraphProto:
    model = ModelProto()
    try:
        model.ParseFromString(isolated("shapes", model_of(graph, opset).SerializeToString()))
    except ModelError as error:
        raise ModelError(
            f"the shapes in network '{graph.name}' cannot be inferred: {error}"
        ) from error
    return model.graph


def objection(node: Node, inputs: Sequence[Value], arrays: Mapping[str, np.ndarray]) -> str:
    """What ONNX's own inference has against a node with such inputs and arrays.

    Empty if nothing.
    """
    definition = schema(node.operator, node.domain)
    if definition is None:
        return ""
    if all(
        value.dtype != np.float32 for value in inputs
    ):  # the reference computes what is float32 in float64
        inputs = [
            replace(v, dtype=np.dtype(np.float32)) if v.dtype == np.float64 else v for v in inputs
        ]
    small = {
        name: array
        for name, array in arrays.items()
        if array.size <= _STEERING and array.dtype.kind in "iub"
    }
    outputs = tuple(Value(name, UNKNOWN, None) for name in node.outputs if name)
    graph = Graph(
        tuple(value for value in inputs if value.name not in small), outputs, (node,), small
    )
    try:
        isolated("judge", model_of(graph).SerializeToString())
    except ModelError as error:
        said = re.sub(r"^.*\(op_type:[^)]*\):|\[\w+Error\]", "", " ".join(str(error).split()))
        return said.strip()
    return ""


def _inferable(node: Node) -> Node:
    """GroupNormalization is the one operator for which onnx 1.23 infers nothing.

    Its output is like its input.
    """
    return (
        Node("Identity", node.inputs[:1], node.outputs)
        if node.operator == "GroupNormalization"
        else node
    )


def is_tensor(info: ValueInfoProto) -> bool:
    """Whether it is declared to be a tensor of a known type."""
    return info.type.HasField("tensor_type") and info.type.tensor_type.elem_type in _ELEMENT_TYPES


def value_of(info: ValueInfoProto, free: set[str] | None = None) -> Value:
    """A declared value; lengths whose names are not in `free` are unknown (None keeps all)."""
    if not is_tensor(info):
        return Value(info.name, UNKNOWN, None)
    tensor = info.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    if not tensor.HasField("shape"):
        return Value(info.name, dtype, None)
    return Value(
        info.name, dtype, tuple(_dimension(dimension, free) for dimension in tensor.shape.dim)
    )


def _dimension(dimension: onnx.TensorShapeProto.Dimension, free: set[str] | None) -> Dimension:
    if dimension.HasField("dim_value"):
        return int(dimension.dim_value) if dimension.dim_value >= 0 else None
    name = str(dimension.dim_param)
    return name if name and (free is None or name in free) else None


def _free_names(values: Iterable[Value]) -> set[str]:
    return {length for value in values for length in value.shape or () if isinstance(length, str)}


def _merged(declared: Value, inferred: Value | None) -> Value:
    """What was declared, and what was inferred where nothing was declared."""
    if inferred is None:
        return declared
    if declared.shape is None:
        return inferred
    dtype = inferred.dtype if declared.dtype == UNKNOWN else declared.dtype
    if inferred.shape is None or len(inferred.shape) != len(declared.shape):
        return replace(declared, dtype=dtype)
    pairs = zip(declared.shape, inferred.shape, strict=True)
    shape = tuple(new if old is None else old for old, new in pairs)
    return Value(declared.name, dtype, shape)
