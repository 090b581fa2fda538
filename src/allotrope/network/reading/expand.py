"""Replaces operators by the function bodies that ONNX has for them, if nobody knows better."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import AttributeProto, FunctionProto, NodeProto, TypeProto

from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.graph import UNKNOWN, Graph, Node, Value
from allotrope.network.names import free_name, names_in, renamed
from allotrope.network.network import Network
from allotrope.network.protos import node_proto, value_info
from allotrope.network.reading.isolated import isolated
from allotrope.network.reading.normalize import constants_in_place, upgraded
from allotrope.network.reading.opset import OPSET, opset_of, schema
from allotrope.network.reading.parse import parse_node
from allotrope.network.reading.shapes import infer_shapes
from allotrope.network.used import every_node

_DEEPEST = 10


def expanded(network: Network, known: Container[str]) -> Network:
    """The network with every operator outside `known` replaced by its function body, if it has one.

    Operators in a body are replaced in their turn.

    Names in `known` are ONNX's; one of another domain is `domain::name`. Values keep their names,
    new ones take new names.
    """
    graph = network.graph
    for _ in range(_DEEPEST):
        if not any(_has_body(node) and _key(node) not in known for node in every_node(graph)):
            break
        changed = _expanded_once(
            graph, network.weights, known, names_in(graph) | set(network.weights), {}
        )
        if changed is graph:
            break
        graph = infer_shapes(changed, network.weights)
    return network if graph is network.graph else network.changed(graph=graph)


def _key(node: Node) -> str:
    return f"{node.domain}::{node.operator}" if node.domain else node.operator


def _has_body(node: Node) -> bool:
    known = schema(node.operator, node.domain)
    return known is not None and bool(known.has_function or known.has_context_dependent_function)


def _expanded_once(
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    known: Container[str],
    taken: set[str],
    outer: Mapping[str, Value],
) -> Graph:
    arrays = {
        name: Value(name, array.dtype, array.shape)
        for name, array in {**graph.constants, **weights}.items()
    }
    values = {
        **outer,
        **arrays,
        **graph.values,
        **{value.name: value for value in (*graph.inputs, *graph.outputs)},
    }
    nodes: list[Node] = []
    constants = dict(graph.constants)
    for node in graph.nodes:
        inner = {
            k: _expanded_once(v, {}, known, taken, values)
            for k, v in node.attributes.items()
            if isinstance(v, Graph)
        }
        node = replace(node, attributes={**node.attributes, **inner}) if inner else node
        body = _body(node, values) if _has_body(node) and _key(node) not in known else None
        if body is None:
            nodes.append(node)
        else:
            body = _in_place(body, node, taken)
            nodes += body.nodes
            constants |= body.constants
    return (
        graph
        if nodes == list(graph.nodes)
        else replace(graph, nodes=tuple(nodes), constants=constants)
    )


def _body(node: Node, values: Mapping[str, Value]) -> Graph | None:
    """The node's function as a graph in `OPSET` with the formal names of the function.

    None where ONNX gives none for these types.
    """
    inputs = [
        values.get(name, Value(name, UNKNOWN, None)) if name else None for name in node.inputs
    ]
    function = _function(node, inputs)
    if function is None:
        return None
    inside = [
        replace(value, name=name)
        for name, value in zip(function.input, inputs, strict=False)
        if value is not None
    ]
    absent = dict.fromkeys(set(function.input) - {value.name for value in inside}, "")
    nodes = [
        parse_node(inner) for inner in _with_attributes(function.node, _attributes(node, function))
    ]
    outputs = tuple(Value(name, UNKNOWN, None) for name in function.output)
    graph = renamed(Graph(tuple(inside), outputs, tuple(nodes)), absent)
    version = next(
        (int(entry.version) for entry in function.opset_import if entry.domain in ("", "ai.onnx")),
        OPSET,
    )
    return upgraded(constants_in_place(graph), version)


def _function(node: Node, inputs: Iterable[Value | None]) -> FunctionProto | None:
    definition: Any = schema(node.operator, node.domain)
    function = FunctionProto()
    if definition.has_function:
        function.ParseFromString(
            definition.get_function_with_opset_version(max(definition.function_opset_versions))
        )
        return function
    types = [
        value_info(value).type.SerializeToString() if value else TypeProto().SerializeToString()
        for value in inputs
    ]
    versions = (opset_of(node.domain), max(definition.context_dependent_function_opset_versions))
    names = (node.operator, node.domain, *map(str, versions))
    try:
        function.ParseFromString(
            isolated(
                "body",
                *(name.encode() for name in names),
                node_proto(node).SerializeToString(),
                *types,
            )
        )
    except ModelError as error:
        raise UnsupportedError(f"{node} has no function body for its types: {error}") from error
    return function if function.node else None


def _attributes(node: Node, function: FunctionProto) -> dict[str, AttributeProto]:
    """What attributes the body may refer to: the node's, else the defaults."""
    defaults = {entry.name: entry for entry in function.attribute_proto}
    definition: Any = schema(node.operator, node.domain)
    defaults |= {
        name: entry.default_value
        for name, entry in definition.attributes.items()
        if entry.default_value.name
    }
    return defaults | {entry.name: entry for entry in node_proto(node).attribute}


def _with_attributes(
    nodes: Iterable[NodeProto], values: Mapping[str, AttributeProto]
) -> list[NodeProto]:
    """The body's nodes with values in the place of references to attributes.

    One that is not values is left out.
    """
    filled = []
    for node in nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        del copy.attribute[:]
        for attribute in node.attribute:
            if attribute.ref_attr_name and attribute.ref_attr_name not in values:
                continue
            entry = copy.attribute.add()
            entry.CopyFrom(
                values[attribute.ref_attr_name] if attribute.ref_attr_name else attribute
            )
            entry.name = attribute.name
            if entry.type == AttributeProto.GRAPH:
                inner = _with_attributes(attribute.g.node, values)
                del entry.g.node[:]
                entry.g.node.extend(inner)
        filled.append(copy)
    return filled


def _in_place(body: Graph, node: Node, taken: set[str]) -> Graph:
    """The body with the node's names for what goes in and out, and new names for what is inside."""
    names = dict(zip((value.name for value in body.inputs), filter(None, node.inputs), strict=True))
    names |= {
        value.name: name for value, name in zip(body.outputs, node.outputs, strict=False) if name
    }
    for name in sorted(_made_in(body) - names.keys()):
        names[name] = free_name(f"{node.label}/{name}", taken)
    return renamed(body, names)


def _made_in(graph: Graph) -> set[str]:
    """What the graph and those inside it make.

    What they only use is the node's, or of the graph around it.
    """
    made = {value.name for value in graph.inputs} | set(graph.constants)
    for node in graph.nodes:
        made.update(filter(None, node.outputs), *(_made_in(inner) for inner in node.subgraphs))
    return made
