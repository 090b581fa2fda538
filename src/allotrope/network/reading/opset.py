"""Versions of ONNX's operators: the one that everything here means, and the lowest to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx

from allotrope.network.graph import UNKNOWN, Graph, Node

OPSET = 28
"""Every graph here means this version of the standard operators, the newest that onnx 1.23
defines."""

OLDEST = 6
"""The oldest opset that is read whole; of older ones only what has not changed until then.
Before it, shapes and types were attributes."""

LOWEST_WRITTEN = 21
"""Files are written in this opset or the next that they need: runtimes and quantizers lag behind
`OPSET`, where ONNX Runtime 1.32 has no QuantizeLinear, and since 21 no operator changed what
it means, only what it takes."""

DOMAIN_VERSIONS = {
    domain: onnx.defs.C.schema_version_map()[domain][1]
    for domain in ("ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")
}
"""The other domains that onnx defines, in the version that onnx brings."""


@cache
def schema(operator: str, domain: str = "", version: int = OPSET) -> Any | None:
    """The operator's `onnx.defs.OpSchema` in an opset version; None if there is none in force."""
    try:
        known = onnx.defs.get_schema(
            operator, version if domain == "" else opset_of(domain), domain
        )
    except onnx.defs.SchemaError:
        return None
    return None if known.deprecated else known


def opset_of(domain: str) -> int:
    """The version of a domain that everything here means."""
    return DOMAIN_VERSIONS.get(domain, 1) if domain else OPSET


def lowest_opset(graph: Graph, weights: Mapping[str, np.ndarray]) -> int:
    """The lowest opset from `LOWEST_WRITTEN` in which every node means what it means in `OPSET`."""
    types = {name: array.dtype for name, array in {**graph.constants, **weights}.items()}
    types |= {
        value.name: value.dtype for value in (*graph.values.values(), *graph.inputs, *graph.outputs)
    }
    return max((_lowest_of(node, types) for node in _nodes(graph)), default=LOWEST_WRITTEN)


def _nodes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        yield node
        for subgraph in node.subgraphs:
            yield from _nodes(subgraph)


def _lowest_of(node: Node, types: Mapping[str, np.dtype]) -> int:
    if node.domain != "":
        return LOWEST_WRITTEN
    inputs = tuple(_type_name(types.get(name, UNKNOWN)) if name else None for name in node.inputs)
    outputs = tuple(_type_name(types.get(name, UNKNOWN)) if name else None for name in node.outputs)
    return _lowest(node.operator, frozenset(node.attributes), inputs, outputs)


@cache
def _lowest(
    operator: str,
    attributes: frozenset[str],
    inputs: tuple[str | None, ...],
    outputs: tuple[str | None, ...],
) -> int:
    newest = schema(operator)
    if newest is None:
        return OPSET
    for version in range(LOWEST_WRITTEN, OPSET):
        older = schema(operator, "", version)
        if older is None:
            continue
        if older.since_version == newest.since_version:
            return version
        if (
            not _changed(operator, inputs)
            and attributes <= set(older.attributes)
            and _fit(older.inputs, inputs)
            and _fit(older.outputs, outputs)
        ):
            return version
    return OPSET


def _changed(operator: str, inputs: tuple[str | None, ...]) -> bool:
    """Whether its meaning is newer: what Attention masks, remainders of floats."""
    return operator == "Attention" or (operator == "Mod" and "int" not in str(inputs))


def _fit(parameters: Any, types: tuple[str | None, ...]) -> bool:
    variadic = (
        bool(parameters)
        and parameters[-1].option == onnx.defs.OpSchema.FormalParameterOption.Variadic
    )
    if len(types) > len(parameters) and not variadic:
        return False
    return all(
        kind is None or kind in parameters[min(i, len(parameters) - 1)].types
        for i, kind in enumerate(types)
    )


@cache
def _type_name(dtype: np.dtype) -> str:
    if dtype == UNKNOWN:
        return "unknown"
    name = onnx.TensorProto.DataType.Name(onnx.helper.np_dtype_to_tensor_dtype(dtype)).lower()
    return f"tensor({name})"
