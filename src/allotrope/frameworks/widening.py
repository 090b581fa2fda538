"""A network in wider floats: in float64 in place of float32, for the reference and for proofs; in float32 in place of halves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np
import onnx

from allotrope.network.graph import Graph, Value
from allotrope.network.network import Network

_TYPE_ATTRIBUTES = {"to", "dtype", "output_dtype", "output_datatype", "precision", "stash_type"}


@dataclass(frozen=True)
class Widening:
    """Floats of `narrow` kinds become `wide`; anything else stays as it is."""

    wide: np.dtype
    narrow: tuple[np.dtype, ...]

    def network(self, network: Network) -> Network:
        """The same network with every narrow value, weight, constant and cast in the wide float."""
        weights = self._arrays(network.weights)
        return Network(self._graph(network.graph), weights, network.trainable, network.metadata)

    def array(self, array: np.ndarray) -> np.ndarray:
        """The array, in the wide float if it is narrow."""
        return array.astype(self.wide) if array.dtype in self.narrow else array

    def concerns(self, network: Network) -> bool:
        """Whether inputs, weights or values of a network are narrow."""
        values = [*network.inputs, *network.outputs, *network.graph.values.values()]
        arrays = [*network.weights.values(), *network.graph.constants.values()]
        dtypes = {value.dtype for value in values} | {array.dtype for array in arrays}
        return bool(dtypes & set(self.narrow))

    def _graph(self, graph: Graph) -> Graph:
        nodes = [
            replace(node, attributes={k: self._attribute(k, v) for k, v in node.attributes.items()})
            for node in graph.nodes
        ]
        return Graph(
            inputs=tuple(self._value(value) for value in graph.inputs),
            outputs=tuple(self._value(value) for value in graph.outputs),
            nodes=tuple(nodes),
            constants=self._arrays(graph.constants),
            values={name: self._value(value) for name, value in graph.values.items()},
            name=graph.name,
        )

    def _value(self, value: Value) -> Value:
        return replace(value, dtype=self.wide) if value.dtype in self.narrow else value

    def _arrays(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: self.array(array) for name, array in arrays.items()}

    def _attribute(self, name: str, value: Any) -> Any:
        if isinstance(value, Graph):
            return self._graph(value)
        if isinstance(value, np.ndarray):
            return self.array(value)
        narrow = [onnx.helper.np_dtype_to_tensor_dtype(dtype) for dtype in self.narrow]
        if name in _TYPE_ATTRIBUTES and value in narrow:
            return int(onnx.helper.np_dtype_to_tensor_dtype(self.wide))
        return value


DOUBLE = Widening(np.dtype(np.float64), (np.dtype(np.float32),))
"""float32 as float64."""
SINGLE = Widening(np.dtype(np.float32), (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)))
"""float16 and bfloat16 as float32."""


def widened_array(array: np.ndarray) -> np.ndarray:
    """float32 as float64; anything else as it is."""
    return DOUBLE.array(array)


def widened(network: Network) -> Network:
    """The same network with every float32 value, weight, constant and cast in float64."""
    return DOUBLE.network(network)
