"""A network with its floats in another type: every value, weight, constant and cast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from onnx.helper import np_dtype_to_tensor_dtype

from allotrope.network.graph import Graph, Value
from allotrope.network.network import Network

_TYPE_ATTRIBUTES = frozenset(
    {"to", "dtype", "output_dtype", "output_datatype", "precision", "stash_type"}
)
"""Attributes that name a type by ONNX's number for it."""

Types = Mapping[np.dtype, np.dtype]


def with_types(network: Network, types: Types) -> Network:
    """The same network with each type that is a key of `types` replaced by its value."""
    recasting = _Recasting(types)
    graph = recasting.graph(network.graph)
    return network.changed(graph=graph, weights=recasting.arrays(network.weights))


class _Recasting:
    """One call of `with_types`."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self.codes = {
            int(np_dtype_to_tensor_dtype(old)): int(np_dtype_to_tensor_dtype(new))
            for old, new in types.items()
        }

    def graph(self, graph: Graph) -> Graph:
        """The graph and those inside it."""
        return Graph(
            inputs=tuple(self._value(value) for value in graph.inputs),
            outputs=tuple(self._value(value) for value in graph.outputs),
            nodes=tuple(
                replace(node, attributes=self._attributes(node.attributes)) for node in graph.nodes
            ),
            constants=self.arrays(graph.constants),
            values={name: self._value(value) for name, value in graph.values.items()},
            name=graph.name,
            documentation=graph.documentation,
        )

    def arrays(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays by name, those of a type that is replaced in their new one."""
        return {name: self._array(array) for name, array in arrays.items()}

    def _array(self, array: np.ndarray) -> np.ndarray:
        dtype = self.types.get(array.dtype)
        return array if dtype is None else array.astype(dtype)

    def _value(self, value: Value) -> Value:
        return replace(value, dtype=self.types.get(value.dtype, value.dtype))

    def _attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._attribute(name, value) for name, value in attributes.items()}

    def _attribute(self, name: str, value: Any) -> Any:
        if isinstance(value, Graph):
            return self.graph(value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        return self.codes.get(value, value) if name in _TYPE_ATTRIBUTES else value
