"""Whether a model uses operators that exist, as they are defined.

All problems of one kind are told at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import onnx
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    ValueInfoProto,
)

from allotrope.config import bytes_text
from allotrope.errors import ModelError, UnsupportedError
from allotrope.memory_limit import MEMORY_LIMIT, memory_limit
from allotrope.network.reading.choices import unknown_words
from allotrope.network.reading.foreign import families  # noqa: F401 - fills the table
from allotrope.network.reading.foreign.operator_table import foreign_operator
from allotrope.network.reading.opset import DOMAIN_VERSIONS, OLDEST, OPSET
from allotrope.network.reading.shapes import is_tensor
from allotrope.network.reading.tensors import MOST_AXES, byte_count
from allotrope.network.reading.upgrade import is_upgraded
from allotrope.network.reading.wire import LARGEST_NODES

_DEEPEST = 16
_SHOWN = 50
_LARGEST_VERSION = 2**31 - 1
"""Versions are 64-bit numbers in a file and 32-bit ones in onnx's library."""


def check_model(model: ModelProto) -> int:
    """The model's opset.

    Raises: UnsupportedError listing operators that are unknown or too new or old, ModelError
    listing nodes that misuse theirs.
    """
    if not model.HasField("graph"):
        raise ModelError("there is no graph in this model: it is empty, or no ONNX model.")
    versions = _versions(model.opset_import)
    nodes = list(_nodes(model.graph, 0))
    if len(nodes) > LARGEST_NODES:
        raise ModelError(
            f"the model has {len(nodes):,} nodes; up to {LARGEST_NODES:,} are accepted."
        )
    opset = _opset(versions, nodes)
    functions = {(_domain(f.domain), f.name) for f in model.functions}
    inside = [
        (node, _versions(f.opset_import)) for f in model.functions for node in _all(f.node, 0)
    ]
    everywhere = [(node, versions) for node in nodes] + inside
    _check_known(
        [(n, v) for n, v in everywhere if (_domain(n.domain), n.op_type) not in functions], versions
    )
    _check_use([(n, v) for n, v in everywhere if (_domain(n.domain), n.op_type) not in functions])
    _check_interface(model.graph)
    return opset


def _versions(entries: Iterable[OperatorSetIdProto]) -> dict[str, int]:
    """The version of each domain. Raises: ModelError where one is imported in two."""
    versions: dict[str, int] = {}
    for entry in entries:
        version = versions.setdefault(_domain(entry.domain), int(entry.version))
        if version != entry.version:
            name = entry.domain or "ai.onnx"
            raise ModelError(
                f"the domain '{name}' is imported in opset {version} and in opset "
                f"{entry.version}: which is meant is not clear."
            )
    return versions


def _opset(versions: Mapping[str, int], nodes: list[NodeProto]) -> int:
    if "" not in versions and any(_domain(node.domain) == "" for node in nodes):
        raise ModelError(
            "the model does not say which opset of the standard operators it uses (opset_import "
            "is missing)."
        )
    opset = versions.get("", OPSET)
    if opset > OPSET:
        raise UnsupportedError(
            f"the model is written in opset {opset}; up to {OPSET} is supported. Export it with "
            f"opset_version={OPSET} or lower."
        )
    if opset < 1:
        raise ModelError(f"the model claims opset {opset}; opsets begin with 1.")
    return opset


def label(node: NodeProto) -> str:
    """How messages call a node."""
    kind = f"{node.domain}.{node.op_type}" if _domain(node.domain) else node.op_type
    return f"{kind} (node '{node.name or next(filter(None, node.output), '')}')"


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _nodes(graph: GraphProto, depth: int) -> Iterator[NodeProto]:
    yield from _all(graph.node, depth)


def _all(nodes: Any, depth: int) -> Iterator[NodeProto]:
    if depth > _DEEPEST:
        raise ModelError(
            f"graphs are nested more than {_DEEPEST} deep, which is the most that is accepted."
        )
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (
                (attribute.g, *attribute.graphs)
                if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS)
                else ()
            ):
                yield from _all(graph.node, depth + 1)


@cache
def _schema(operator: str, domain: str, version: int) -> Any | None:
    if not 0 < version <= _LARGEST_VERSION:
        return None
    try:
        return onnx.defs.get_schema(operator, version, domain)
    except onnx.defs.SchemaError:
        return None


def _check_known(
    nodes: list[tuple[NodeProto, Mapping[str, int]]], model: Mapping[str, int]
) -> None:
    problems = [
        f"{label(node)} {why}"
        for node, versions in nodes
        if (why := _unknown(node, versions, model))
    ]
    if problems:
        more = f", and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise UnsupportedError(
            f"{len(problems)} nodes use operators that are not supported: "
            f"{', '.join(problems[:_SHOWN])}{more}."
        )


def _unknown(node: NodeProto, versions: Mapping[str, int], model: Mapping[str, int]) -> str:
    """Why the operator cannot be used; empty where it can."""
    domain = _domain(node.domain)
    return _unknown_operator(
        node.op_type, domain, versions.get(domain, 0), model.get(domain, versions.get(domain, 0))
    )


@cache
def _unknown_operator(operator: str, domain: str, version: int, outer: int) -> str:
    other = foreign_operator(domain, operator, version)
    if other is not None and version:
        return other.refusal
    known = _schema(operator, domain, version) if version else None
    if known is None and version and domain and domain not in DOMAIN_VERSIONS:
        without = "Save the file without the optimization or quantization that wrote it"
        return f"is no operator of ONNX and not understood. {without}"
    if known is None:
        return (
            f"is unknown in opset {version}"
            if version
            else f"is of domain '{domain}', which the model does not import"
        )
    if known.deprecated and not is_upgraded(operator, version):
        return f"was withdrawn in opset {known.since_version}"
    if version != outer and known.since_version != getattr(
        _schema(operator, domain, outer), "since_version", 0
    ):
        return f"is of opset {version} inside a function and of opset {outer} outside"
    reference = _schema(
        operator, domain, OLDEST if domain == "" else DOMAIN_VERSIONS.get(domain, 0)
    )
    if (domain or version < OLDEST) and (
        reference is None or reference.since_version != known.since_version
    ):
        return f"is of opset {version} of '{domain or 'ai.onnx'}', which is too old"
    return ""


def _check_use(nodes: list[tuple[NodeProto, Mapping[str, int]]]) -> None:
    problems = [
        f"{label(node)} {problem}"
        for node, v in nodes
        for problem in _problems(node, v[_domain(node.domain)])
    ]
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ModelError(
            f"{len(problems)} uses of operators do not fit their definition: "
            f"{'; '.join(problems[:_SHOWN])}{more}."
        )


def _problems(node: NodeProto, version: int) -> Iterator[str]:
    """What of the node does not fit its operator's definition."""
    other = foreign_operator(_domain(node.domain), node.op_type, version)
    schema = _schema(node.op_type, _domain(node.domain), version)
    yield from other.misuse(node) if other else _misuse(node, schema)


def _misuse(node: NodeProto, schema: Any) -> Iterator[str]:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    for name, attribute in attributes.items():
        known = schema.attributes.get(name)
        if known is None:
            yield f"has the unknown attribute '{name}'"
        elif attribute.type != int(known.type.value):
            yield f"has attribute '{name}' of type {attribute.type}, not {known.type.name}"
    yield from (
        f"lacks attribute '{name}'"
        for name, known in schema.attributes.items()
        if known.required and name not in attributes
    )
    yield from _left_out(node, schema)
    yield from unknown_words(node) if not _domain(node.domain) else ()
    for kind, count, least, most in (
        ("inputs", len(node.input), schema.min_input, schema.max_input),
        ("outputs", len(node.output), schema.min_output, schema.max_output),
    ):
        if not least <= count <= most:
            yield f"has {count} {kind}, not {least if least == most else f'{least} to {most}'}"


def _left_out(node: NodeProto, schema: Any) -> Iterator[str]:
    """Inputs that must be there and have an empty name, which only optional ones may.

    And a node that makes nothing.
    """
    for position, name in enumerate(node.input):
        if not name and schema.inputs:
            formal = schema.inputs[min(position, len(schema.inputs) - 1)]
            if formal.option != onnx.defs.OpSchema.FormalParameterOption.Optional:
                yield f"lacks input {position}, '{formal.name}'"
    if schema.min_output and not any(node.output):
        yield "has no output with a name"


def _check_interface(graph: GraphProto) -> None:
    filled = {tensor.name for tensor in graph.initializer}
    ends = [("input", info) for info in graph.input if info.name not in filled] + [
        ("output", info) for info in graph.output
    ]
    others = [
        f"{end} '{info.name}' is a {info.type.WhichOneof('value')}"
        for end, info in ends
        if info.type.WhichOneof("value") not in (None, "tensor_type")
    ]
    if others:
        raise UnsupportedError(
            f"only tensors can go in and out: {'; '.join(others).replace('_type', '')}."
        )
    untyped = [f"'{info.name}'" for end, info in ends if end == "input" and not is_tensor(info)]
    if untyped:
        raise ModelError(
            f"the model does not say of which type its inputs {', '.join(untyped)} are."
        )
    if not graph.output:
        raise ModelError("the graph has no output.")
    _check_size(graph.input, filled)


def _check_size(inputs: Any, filled: set[str]) -> None:
    """The inputs alone, free lengths taken as 1, must leave room for what is computed from them."""
    many = [f"'{info.name}'" for info in inputs if len(info.type.tensor_type.shape.dim) > MOST_AXES]
    if many:
        raise ModelError(
            f"the inputs {', '.join(many)} have more than {MOST_AXES} axes; NumPy takes up to "
            f"{MOST_AXES}."
        )
    sizes = {info.name: _bytes(info) for info in inputs if info.name not in filled}
    needed, limit = sum(sizes.values()), memory_limit() // 4
    if needed > limit:
        largest = max(sizes, key=lambda name: sizes[name])
        raise ModelError(
            f"the inputs would take {bytes_text(needed)}, most of it '{largest}'; "
            f"{bytes_text(limit)} is accepted. "
            f"If it is meant, and fits, set {MEMORY_LIMIT}, such as {MEMORY_LIMIT}=64GB."
        )


def _bytes(info: ValueInfoProto) -> int:
    tensor = info.type.tensor_type
    lengths = [
        max(1, int(dimension.dim_value))
        for dimension in tensor.shape.dim
        if dimension.HasField("dim_value")
    ]
    return math.prod(lengths) * byte_count(tensor.elem_type, 8) // 8
