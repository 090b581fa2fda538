"""A network: a graph and its weights, which no method changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from allotrope.errors import ModelError, UsageError
from allotrope.network import summary, write
from allotrope.network.engine import engine
from allotrope.network.graph import Graph, Value

if TYPE_CHECKING:
    import onnx

# The package that a native model's class comes from, and the framework that it belongs to. A Keras model is also a TensorFlow module.
_PACKAGES = {"keras": "keras", "torch": "pytorch", "tensorflow": "tensorflow", "flax": "jax"}


class Network:
    """An ONNX graph and its named weights, free of any framework, immutable.

    `weights` are read-only arrays by name: those in `trainable` learn, the rest is state, such as BatchNormalization's
    running statistics. `metadata` travels with the file as ONNX metadata_props.
    """

    __slots__ = ("graph", "metadata", "trainable", "weights")

    graph: Graph
    weights: Mapping[str, np.ndarray]
    trainable: frozenset[str]
    metadata: Mapping[str, str]

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, np.ndarray],
        trainable: frozenset[str] | set[str],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Raises: ModelError where names clash or nothing makes a value that is used."""
        _check_names(graph, weights, frozenset(trainable))
        set_once = object.__setattr__
        set_once(self, "graph", graph)
        set_once(self, "weights", MappingProxyType({name: _read_only(array) for name, array in weights.items()}))
        set_once(self, "trainable", frozenset(trainable))
        set_once(self, "metadata", MappingProxyType(dict(metadata or {})))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Network does not change: make another one instead of setting '{name}'")

    def __reduce__(self) -> tuple[Any, ...]:
        return Network, (self.graph, dict(self.weights), self.trainable, dict(self.metadata))

    @property
    def inputs(self) -> tuple[Value, ...]:
        """What the network takes; weights are not among them."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[Value, ...]:
        """What the network gives."""
        return self.graph.outputs

    def run(self, inputs: Mapping[str, Any], framework: str = "reference") -> dict[str, np.ndarray]:
        """The outputs by name, computed in a framework.

        Raises: UsageError for inputs that do not fit, UnsupportedError for operators that the framework lacks.
        """
        return engine(framework).run(self, inputs)

    def gradients(
        self, inputs: Mapping[str, Any], output_gradients: Mapping[str, Any], framework: str = "pytorch"
    ) -> dict[str, np.ndarray]:
        """The vector-Jacobian product with `output_gradients` for each trainable weight and float input, by name.

        Raises: UsageError for arrays that do not fit, UnsupportedError for operators that the framework lacks.
        """
        return engine(framework).gradients(self, inputs, output_gradients)

    def to(self, framework: str) -> Any:
        """The native, trainable model in a framework, such as a `torch.nn.Module` for `pytorch`."""
        return engine(framework).native(self)

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Network:
        """The same network with these weights in place of its own; those not named stay.

        Raises: UsageError for names that the network does not have, or arrays of another shape.
        """
        _check_replacements(self.weights, weights)
        fitting = {name: np.asarray(array).astype(self.weights[name].dtype) for name, array in weights.items()}
        return Network(self.graph, {**self.weights, **fitting}, self.trainable, self.metadata)

    def with_weights_from(self, model: Any) -> Network:
        """The same network with the weights of a native model that `to` made.

        Raises: UsageError if `model` is of no known framework, or its weights do not fit.
        """
        return self.with_weights(engine(_framework_of(model)).weights_of(model))

    def to_onnx(self) -> onnx.ModelProto:
        """The network as an ONNX model, weights inside."""
        return write.to_onnx(self)

    def save(self, path: str | Path) -> None:
        """Write an ONNX file; a crash leaves the old file or the new one. Raises: RunFolderError where it cannot be written."""
        write.save(self, path)

    def __str__(self) -> str:
        return summary.table(self)

    def __repr__(self) -> str:
        ends = " -> ".join(", ".join(value.name for value in values) for values in (self.inputs, self.outputs))
        return f"<Network {self.graph.name}: {ends}, {len(self.graph.nodes)} nodes, {len(self.weights)} weights>"


def _read_only(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


def _check_names(graph: Graph, weights: Mapping[str, np.ndarray], trainable: frozenset[str]) -> None:
    problems = [f"'{name}' is named as trainable and is no weight" for name in sorted(trainable - weights.keys())]
    given: set[str] = set()
    for kind, names in (("input", [v.name for v in graph.inputs]), ("weight", list(weights)), ("constant", list(graph.constants))):
        problems += [f"{kind} '{name}' has the name of something else" for name in names if name in given]
        given |= set(names)
    for node in graph.nodes:
        problems += [
            f"node '{node.name or node.outputs[0]}' uses '{name}', which nothing makes"
            for name in node.inputs
            if name and name not in given
        ]
        problems += [f"node '{node.name or node.outputs[0]}' makes '{name}' again" for name in node.outputs if name in given]
        given |= set(node.outputs) - {""}
    problems += [f"nothing makes the output '{value.name}'" for value in graph.outputs if value.name not in given]
    if problems:
        raise ModelError(f"network '{graph.name}' does not hold together: {'; '.join(problems[:20])}.")


def _check_replacements(weights: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray]) -> None:
    problems = [f"'{name}' is no weight of it" for name in new if name not in weights]
    shapes = {name: (np.shape(new[name]), weights[name].shape) for name in new.keys() & weights.keys()}
    problems += [f"'{name}' has shape {list(found)}, not {list(own)}" for name, (found, own) in shapes.items() if found != own]
    if problems:
        raise UsageError(f"these weights do not fit the network: {'; '.join(sorted(problems)[:20])}.")


def _framework_of(model: Any) -> str:
    packages = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    for package, name in _PACKAGES.items():
        if package in packages:
            return name
    raise UsageError(f"a {type(model).__name__} is not a native model of {', '.join(_PACKAGES.values())}.")
