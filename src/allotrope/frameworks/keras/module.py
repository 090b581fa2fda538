"""A network as a native `keras.Model`, on whichever engine Keras has."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError, UsageError
from allotrope.frameworks.keras.importing import keras
from allotrope.frameworks.keras.keras_engine import MODELS, engine
from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.primitives import Array
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.operators.interpret import Context, Program
from allotrope.operators.share import BatchShare

_HOME = importlib.import_module(f"allotrope.frameworks.keras.engine_{engine()}")
_EngineModel: Any = getattr(_HOME, MODELS[engine()])


class NetworkModel(_EngineModel):
    """The network's weights as Keras variables, its graph as `call`.

    For `compile`, `fit`, `predict` and the rest of Keras.

    A weight `layer1.0.conv1.weight` is the variable with the path `<model>/layer1/0/conv1/weight`;
    `by_name` has it by the weight's own name. In training BatchNorm uses the batch and updates its
    state, and Dropout draws the mask of (`seed`, `training_step`). TensorFlow needs static shapes:
    `keras.Input(batch_shape=...)` where the model is part of another one. The dtype policy
    `mixed_bfloat16` narrows convolutions and matrix products; any other leaves the network's own
    dtypes.
    """

    by_name: Mapping[str, Any]

    def __init__(
        self, network: Network, seed: int = 0, layout: str | None = None, dtype: str | None = None
    ) -> None:
        """Raises: UnsupportedError, listing operators without meaning, or dtypes Keras lacks."""
        graph = lowered(network)
        _check_dtypes(network)
        super().__init__(dtype=dtype, autocast=False)
        if self.compute_dtype == "float16":
            raise UnsupportedError(
                "networks do not train under the policy mixed_float16, which needs loss scaling; "
                "use mixed_bfloat16."
            )
        self.network, self.seed = network, seed
        self.share: BatchShare | None = None
        self.training_step = keras.Variable(
            0, dtype="int32", trainable=False, autocast=False, name="training_step"
        )
        self.by_name = MappingProxyType(self._variables_of(network))
        self.network_variables = list(self.by_name.values())  # which Keras keeps track of
        self.program = Program(graph, self.prepare(layout), ReferencePrimitives())
        self.built = True

    def _variables_of(self, network: Network) -> dict[str, Any]:
        made = {}
        for (name, array), path in zip(
            network.weights.items(), _paths(network.weights), strict=True
        ):
            with ExitStack() as scopes:
                for part in (self.name, *path[:-1]):
                    scopes.enter_context(keras.name_scope(part))
                trainable = name in network.trainable
                made[name] = keras.Variable(
                    array,
                    dtype=array.dtype.name,
                    trainable=trainable,
                    autocast=False,
                    name=path[-1],
                )
        return made

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """An array, or several as a list in the network's order or a dict by name.

        An array back, or a tuple of several outputs.
        """
        values = {name: self.array(variable) for name, variable in self.by_name.items()}
        context = Context(
            training=bool(training),
            seed=self.seed,
            step=self.array(self.training_step),
            share=self.share,
        )
        with self.narrowing():
            outputs = self.program({**values, **self._arrays(inputs)}, context)
        if context.training and not self.climbing:
            self.training_step.assign(self.program.p.add(context.step, 1))
        if context.training and not self.above:
            for name, value in context.updates.items():
                self.by_name[name].assign(value)
        if len(outputs) == 1:
            return outputs[0]
        return tuple(outputs)

    def named(self, outputs: Any) -> dict[str, Any]:
        """What `call` gives, by the names of the network's outputs."""
        if isinstance(outputs, tuple):
            every = outputs
        else:
            every = (outputs,)
        return {v.name: y for v, y in zip(self.network.outputs, every, strict=True)}

    def _arrays(self, inputs: Any) -> dict[str, Array]:
        """Inputs by name, or in the network's order, or the only one by itself."""
        declared = self.network.inputs
        names = [value.name for value in declared]
        if not isinstance(inputs, Mapping | list | tuple):
            inputs = (inputs,)
        if not isinstance(inputs, Mapping) and len(inputs) == len(names):
            inputs = dict(zip(names, inputs, strict=True))
        if not isinstance(inputs, Mapping) or inputs.keys() != set(names):
            count = str(len(inputs))
            if isinstance(inputs, Mapping):
                count = ", ".join(inputs)
            raise UsageError(
                f"the inputs do not fit the network. Found: {count}; expected: {', '.join(names)}."
            )
        return {value.name: self._fitting(value, inputs[value.name]) for value in declared}

    def _fitting(self, value: Value, x: Any) -> Array:
        """x in the dtype of an input.

        Keras brings floats in its own float dtype, and integers as the engine has them.
        """
        x, p = keras.ops.convert_to_tensor(x), self.program.p
        if value.shape == () and p.shape(x) == (1,):  # a number that came with an axis for examples
            x = p.reshape(x, ())
        if p.dtype(x) == value.dtype:
            return x
        if _kind(p.dtype(x)) != _kind(value.dtype):
            raise UsageError(
                f"input '{value.name}' has dtype {p.dtype(x)} instead of {value.dtype}."
            )
        return p.cast(x, value.dtype)


def _kind(dtype: np.dtype) -> str:
    if "float" in dtype.name:
        return "float"
    return dtype.kind


def _paths(names: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """A path for each name, cut at dots and slashes.

    Keras and PyTorch do not allow these in the names of variables.
    """
    taken: set[tuple[str, ...]] = {("training_step",)}
    for name in names:
        path = tuple(part for part in re.split(r"[./]", name) if part) or ("weight",)
        while path in taken:
            path = (*path[:-1], path[-1] + "_")
        taken.add(path)
        yield path


def _check_dtypes(network: Network) -> None:
    lacking = sorted(
        f"'{name}' ({array.dtype})"
        for name, array in network.weights.items()
        if not _has(array.dtype)
    )
    if lacking:
        raise UnsupportedError(
            f"Keras has no variables of the dtypes of these weights: {', '.join(lacking[:20])}."
        )
    if engine() == "jax":
        from allotrope.frameworks.jax.module import check_widths

        check_widths(network)


def _has(dtype: np.dtype) -> bool:
    try:
        return dtype.kind != "c" and bool(keras.backend.standardize_dtype(dtype.name))
    except ValueError:
        return False
