"""A network: a graph and its weights, which no method changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from allotrope.errors import UsageError
from allotrope.network import summary, write
from allotrope.network.consistency import check_names, check_replacements
from allotrope.network.engine import engine
from allotrope.network.graph import Graph, Value
from allotrope.network.reading.shapes import for_inputs, with_shapes
from allotrope.network.renaming import with_values_renamed
from allotrope.network.used import used_in

if TYPE_CHECKING:
    import onnx

# The package that a native model's class comes from, and the framework that it belongs to.
# A Keras model is also a TensorFlow module.
_PACKAGES = {"keras": "keras", "torch": "pytorch", "tensorflow": "tensorflow", "flax": "jax"}


class Network:
    """An ONNX graph and its named weights, free of any framework, immutable.

    `weights` are read-only arrays by name: those in `trainable` learn, the rest is state, such as
    BatchNormalization's running statistics. `metadata` travels with the file as ONNX
    metadata_props.
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
        check_names(graph, weights, frozenset(trainable))
        set_once = object.__setattr__
        set_once(self, "graph", graph)
        set_once(
            self,
            "weights",
            MappingProxyType({name: _read_only(array) for name, array in weights.items()}),
        )
        set_once(self, "trainable", frozenset(trainable))
        set_once(self, "metadata", MappingProxyType(dict(metadata or {})))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"a Network does not change: make another one instead of setting '{name}'"
        )

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

        Raises: UsageError for inputs that do not fit, UnsupportedError for operators that the
        framework lacks.
        """
        return engine(framework).run(self, inputs)

    def gradients(
        self,
        inputs: Mapping[str, Any],
        output_gradients: Mapping[str, Any],
        framework: str = "pytorch",
    ) -> dict[str, np.ndarray]:
        """Vector-Jacobian products for each trainable weight and float input, by name.

        Raises: UsageError for arrays that do not fit, UnsupportedError for operators that the
        framework lacks.
        """
        return engine(framework).gradients(self, inputs, output_gradients)

    def to(self, framework: str) -> Any:
        """The native, trainable model in a framework, such as a `torch.nn.Module` for `pytorch`."""
        return engine(framework).native(self)

    def changed(
        self,
        *,
        graph: Graph | None = None,
        inputs: Sequence[Value] | None = None,
        weights: Mapping[str, np.ndarray] | None = None,
        trainable: Set[str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Network:
        """Another network, made of this one; what is not given stays.

        `graph`: with the shapes that it does not know inferred; weights that it does not use go.
        `inputs`: the network's own, declared otherwise; all shapes are inferred anew.
        `weights`: new ones, and others in the place of its own.
        `metadata`: entries that are new or other.

        Raises: ModelError if it does not hold together.
        """
        arrays = {**self.weights, **(weights or {})}
        new = self.graph if graph is None else graph
        if graph is not None:
            needed = used_in(graph) - {value.name for value in graph.inputs}
            arrays = {name: array for name, array in arrays.items() if name in needed}
        if inputs is not None:
            new = for_inputs(new, inputs, arrays)
        elif graph is not None:
            new = with_shapes(new, arrays)
        gone = {*self.weights, *(weights or {})} - arrays.keys()
        learning = (self.trainable if trainable is None else frozenset(trainable)) - gone
        return Network(new, arrays, learning, {**self.metadata, **(metadata or {})})

    def renamed(self, names: Mapping[str, str]) -> Network:
        """The same network with other names for some of its values, such as inputs and outputs.

        `names` is old to new. Weights keep theirs; an inner value that has one of the new names
        already gives way.

        Raises: UsageError if a new name is a weight's, or two values would have one name.
        """
        graph = with_values_renamed(self.graph, self.weights.keys(), names)
        return Network(graph, self.weights, self.trainable, self.metadata)

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Network:
        """The same network with these weights in place of its own; those not named stay.

        Raises: UsageError for names that the network does not have, or arrays of another shape.
        """
        check_replacements(self.weights, weights)
        fitting = {
            name: np.asarray(array).astype(self.weights[name].dtype)
            for name, array in weights.items()
        }
        return self.changed(weights=fitting)

    def with_weights_from(self, model: Any) -> Network:
        """The same network with the weights of a native model that `to` made.

        Raises: UsageError if `model` is of no known framework, or its weights do not fit.
        """
        return self.with_weights(engine(_framework_of(model)).weights_of(model))

    def to_onnx(self) -> onnx.ModelProto:
        """The network as an ONNX model, weights inside."""
        return write.to_onnx(self)

    def save(self, path: str | Path) -> None:
        """Write an ONNX file; a crash leaves the old file or the new one.

        Raises: RunFolderError if it cannot be written.
        """
        write.save(self, path)

    def __str__(self) -> str:
        return summary.table(self)

    def __repr__(self) -> str:
        ends = " -> ".join(
            ", ".join(value.name for value in values) for values in (self.inputs, self.outputs)
        )
        size = f"{len(self.graph.nodes)} nodes, {len(self.weights)} weights"
        return f"<Network {self.graph.name}: {ends}, {size}>"


def _read_only(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


def _framework_of(model: Any) -> str:
    packages = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    for package, name in _PACKAGES.items():
        if package in packages:
            return name
    raise UsageError(
        f"a {type(model).__name__} is not a native model of {', '.join(_PACKAGES.values())}."
    )
