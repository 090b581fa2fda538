"""Graphs, values and nodes as ONNX's own messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from allotrope.network.graph import UNKNOWN, Graph, Node, Value
from allotrope.network.reading.opset import OPSET, opset_of, schema


def model_of(
    graph: Graph, opset: int = OPSET, initializers: Iterable[TensorProto] = ()
) -> ModelProto:
    """A model of the bare graph; its constants and `initializers` become initializers."""
    proto = graph_proto(graph, opset)
    proto.initializer.extend(initializers)
    domains = {"": opset} | {
        domain: opset_of(domain) for domain in sorted(_domains(graph)) if domain
    }
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in domains.items()]
    return ModelProto(ir_version=max(8, _ir_version(opset)), opset_import=opsets, graph=proto)


def graph_proto(graph: Graph, opset: int = OPSET) -> GraphProto:
    """The graph with its constants as initializers.

    One that is itself an output becomes a Constant node.
    """
    proto = GraphProto(name=graph.name or "network", doc_string=graph.documentation)
    proto.input.extend(value_info(value) for value in graph.inputs)
    proto.output.extend(value_info(value) for value in graph.outputs)
    ends = {value.name for value in graph.outputs} & graph.constants.keys()
    proto.initializer.extend(
        tensor_proto(name, array) for name, array in graph.constants.items() if name not in ends
    )
    proto.node.extend(
        node_proto(Node("Constant", (), (name,), {"value": graph.constants[name]}), opset)
        for name in sorted(ends)
    )
    proto.node.extend(node_proto(node, opset) for node in graph.nodes)
    return proto


def value_info(value: Value) -> ValueInfoProto:
    """A value's name, type and shape, as far as they are known."""
    proto = ValueInfoProto(name=value.name)
    if value.dtype == UNKNOWN:
        return proto
    tensor = proto.type.tensor_type
    tensor.elem_type = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    if value.shape is not None:
        tensor.shape.SetInParent()
        for dimension in value.shape:
            entry = tensor.shape.dim.add()
            if isinstance(dimension, str):
                entry.dim_param = dimension
            elif dimension is not None:
                entry.dim_value = int(dimension)
    return proto


def node_proto(node: Node, opset: int = OPSET) -> NodeProto:
    """A node, its attributes typed as the operator's schema says."""
    proto = NodeProto(
        op_type=node.operator,
        name=node.name,
        domain=node.domain,
        input=node.inputs,
        output=node.outputs,
    )
    known = schema(node.operator, node.domain, opset)
    for name, value in node.attributes.items():
        kind = (
            int(known.attributes[name].type.value)
            if known is not None and name in known.attributes
            else None
        )
        proto.attribute.append(_attribute(name, value, kind, opset))
    return proto


def _attribute(name: str, value: Any, kind: int | None, opset: int) -> AttributeProto:
    if isinstance(value, Graph):
        return AttributeProto(name=name, type=AttributeProto.GRAPH, g=graph_proto(value, opset))
    if isinstance(value, np.ndarray):
        return AttributeProto(name=name, type=AttributeProto.TENSOR, t=tensor_proto("", value))
    if kind == AttributeProto.FLOAT:
        return AttributeProto(name=name, type=kind, f=float(value))
    if kind == AttributeProto.FLOATS:
        return AttributeProto(name=name, type=kind, floats=[float(item) for item in value])
    if kind == AttributeProto.STRING or isinstance(value, str):
        return AttributeProto(name=name, type=AttributeProto.STRING, s=_encoded(value))
    if kind == AttributeProto.STRINGS:
        return AttributeProto(name=name, type=kind, strings=[_encoded(item) for item in value])
    if kind == AttributeProto.INT:
        return AttributeProto(name=name, type=kind, i=int(value))
    if kind == AttributeProto.INTS:
        return AttributeProto(name=name, type=kind, ints=[int(item) for item in value])
    return onnx.helper.make_attribute(name, value, attr_type=kind)


def _encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def tensor_proto(name: str, array: np.ndarray) -> TensorProto:
    """An array of any rank: `ascontiguousarray` alone would make a row of a single number."""
    return onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


def _domains(graph: Graph) -> set[str]:
    inner: set[str] = set()
    for node in graph.nodes:
        inner |= {node.domain}.union(*(_domains(subgraph) for subgraph in node.subgraphs))
    return inner


def _ir_version(opset: int) -> int:
    return int(
        onnx.helper.find_min_ir_version_for(
            [onnx.helper.make_opsetid("", opset)], ignore_unknown=True
        )
    )
