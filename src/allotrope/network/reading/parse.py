"""From an ONNX model to a `Graph` at the model's own opset."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, NodeProto

from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.graph import Graph, Node
from allotrope.network.reading.shapes import value_of
from allotrope.network.reading.tensors import External, array_of, dense


def parse_graph(proto: GraphProto, external: External | None = None) -> Graph:
    """The graph, its initializers as constants.

    An initializer that is listed as an input too is no input.

    Raises: ModelError where an array is malformed, UnsupportedError for attributes that hold types.
    """
    names = [tensor.name for tensor in proto.initializer] + [
        sparse.values.name for sparse in proto.sparse_initializer
    ]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ModelError(
            f"graph '{proto.name}' has arrays of the same name twice: "
            f"{', '.join(map(repr, twice[:20]))}."
        )
    constants = _arrays(proto, external)
    constants |= {sparse.values.name: dense(sparse) for sparse in proto.sparse_initializer}
    return Graph(
        tuple(value_of(info) for info in proto.input if info.name not in constants),
        tuple(value_of(info) for info in proto.output),
        tuple(parse_node(node, external) for node in proto.node),
        constants,
        name=proto.name or "network",
        documentation=proto.doc_string,
    )


def _arrays(proto: GraphProto, external: External | None) -> dict[str, np.ndarray]:
    arrays, problems = {}, []
    for tensor in proto.initializer:
        try:
            arrays[tensor.name] = array_of(tensor, external)
        except ModelError as error:
            problems.append(str(error))
    problems = list(dict.fromkeys(problems))
    if problems:
        more = f" And {len(problems) - 20} more." if len(problems) > 20 else ""
        raise ModelError(" ".join(problems[:20]) + more)
    return arrays


def parse_node(proto: NodeProto, external: External | None = None) -> Node:
    """One node. Raises: ModelError, UnsupportedError as `parse_graph`, with the node's name."""
    name = proto.name or next(filter(None, proto.output), "")
    try:
        attributes = {
            attribute.name: _attribute(attribute, external) for attribute in proto.attribute
        }
    except (ModelError, UnsupportedError) as error:
        raise type(error)(f"node '{name}' ({proto.op_type}): {error}") from error
    if len(attributes) != len(proto.attribute):
        raise ModelError(f"node '{name}' ({proto.op_type}) has an attribute twice.")
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    return Node(
        proto.op_type, _trimmed(proto.input), _trimmed(proto.output), attributes, proto.name, domain
    )


def _attribute(proto: AttributeProto, external: External | None) -> Any:
    if proto.ref_attr_name:
        raise ModelError(
            f"attribute '{proto.name}' refers to '{proto.ref_attr_name}', which only the body of "
            "a function may."
        )
    match proto.type:
        case AttributeProto.TENSOR:
            return array_of(proto.t, external)
        case AttributeProto.GRAPH:
            return parse_graph(proto.g, external)
        case AttributeProto.SPARSE_TENSOR:
            return dense(proto.sparse_tensor)
        case AttributeProto.TENSORS:
            return tuple(array_of(tensor, external) for tensor in proto.tensors)
        case AttributeProto.GRAPHS:
            return tuple(parse_graph(graph, external) for graph in proto.graphs)
        case AttributeProto.STRING:
            return proto.s.decode("utf-8", "surrogateescape")
        case AttributeProto.STRINGS:
            return tuple(text.decode("utf-8", "surrogateescape") for text in proto.strings)
        case AttributeProto.FLOAT:
            return proto.f
        case AttributeProto.INT:
            return proto.i
        case AttributeProto.FLOATS:
            return tuple(proto.floats)
        case AttributeProto.INTS:
            return tuple(proto.ints)
        case AttributeProto.TYPE_PROTO | AttributeProto.TYPE_PROTOS | AttributeProto.SPARSE_TENSORS:
            raise UnsupportedError(
                f"attribute '{proto.name}' holds a type or a list of sparse tensors, which is "
                "not supported."
            )
    raise ModelError(f"attribute '{proto.name}' has the unknown type {proto.type}.")


def _trimmed(names: Any) -> tuple[str, ...]:
    """The names without those left out at the end."""
    trimmed = list(names)
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    return tuple(trimmed)


def constant_of(node: Node) -> np.ndarray:
    """What a Constant node gives. Raises: ModelError where it does not say."""
    if len(node.attributes) != 1:
        raise ModelError(f"{node} must have one attribute, found {len(node.attributes)}.")
    ((kind, value),) = node.attributes.items()
    if kind in ("value", "sparse_value"):
        return np.asarray(value)
    dtype = {
        "value_float": np.float32,
        "value_floats": np.float32,
        "value_int": np.int64,
        "value_ints": np.int64,
    }.get(kind, object)
    array = np.array(value, dtype=dtype)
    array.flags.writeable = False
    return array


def metadata_of(model: onnx.ModelProto) -> dict[str, str]:
    """The model's own entries."""
    return {entry.key: entry.value for entry in model.metadata_props}
