"""A network in float64 in place of float32, for the reference and for proofs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from allotrope.network.graph import Graph, Value
from allotrope.network.network import Network

_FLOAT, _DOUBLE = int(onnx.TensorProto.FLOAT), int(onnx.TensorProto.DOUBLE)
_TYPE_ATTRIBUTES = {"to", "dtype", "output_dtype", "output_datatype", "precision", "stash_type"}


def widened_array(array: np.ndarray) -> np.ndarray:
    """float32 as float64; anything else as it is."""
    return array.astype(np.float64) if array.dtype == np.float32 else array


def widened(network: Network) -> Network:
    """The same network with every float32 value, weight, constant and cast in float64."""
    return Network(_graph(network.graph), _arrays(network.weights), network.trainable, network.metadata)


def _graph(graph: Graph) -> Graph:
    return Graph(
        inputs=tuple(_value(v) for v in graph.inputs),
        outputs=tuple(_value(v) for v in graph.outputs),
        nodes=tuple(replace(n, attributes={k: _attribute(k, v) for k, v in n.attributes.items()}) for n in graph.nodes),
        constants=_arrays(graph.constants),
        values={k: _value(v) for k, v in graph.values.items()},
        name=graph.name,
    )


def _value(value: Value) -> Value:
    return replace(value, dtype=np.dtype(np.float64)) if value.dtype == np.float32 else value


def _arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: widened_array(array) for name, array in arrays.items()}


def _attribute(name: str, value: Any) -> Any:
    if isinstance(value, Graph):
        return _graph(value)
    if isinstance(value, np.ndarray):
        return widened_array(value)
    return _DOUBLE if name in _TYPE_ATTRIBUTES and value == _FLOAT else value
