"""A network as a native `flax.nnx.Module`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from allotrope.errors import UnsupportedError
from allotrope.frameworks.jax.arrays import to_array
from allotrope.frameworks.jax.primitives import JaxPrimitives
from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.network import Network
from allotrope.operators.interpret import Context, Program


class TrainingStep(nnx.Variable):
    """How many times the network was called in training: the step of its dropout masks."""


class NetworkModule(nnx.Module):
    """The network's weights as `nnx.Param`, its state as `nnx.BatchStat`, its graph as `__call__`.

    A weight `layer1.0.conv1.weight` is the variable `weight` of the submodule `layer1.0.conv1`.
    After `train()` BatchNorm uses the batch and updates its state, and Dropout draws the mask of
    (`seed`, `training_step`); after `eval()`, as at first, neither.
    """

    def __init__(self, network: Network, seed: int = 0) -> None:
        """Raises: UnsupportedError, listing operators without a meaning, or weights of 64 bits."""
        check_widths(network)
        self.program = Program(lowered(network), JaxPrimitives(), ReferencePrimitives())
        self.input_names = tuple(value.name for value in network.inputs)
        self.seed, self.deterministic = seed, True
        self.training_step = TrainingStep(jnp.zeros((), np.int32))
        self.paths: tuple[tuple[str, tuple[str, ...]], ...] = ()
        self.paths = tuple((name, self._register(name, network)) for name in network.weights)

    def _register(self, name: str, network: Network) -> tuple[str, ...]:
        if name in network.trainable:
            kind = nnx.Param
        else:
            kind = nnx.BatchStat
        owner, path = self._owner(name)
        setattr(owner, path[-1], kind(to_array(network.weights[name])))
        return path

    def _owner(self, name: str) -> tuple[nnx.Module, tuple[str, ...]]:
        """The submodule that holds a weight, made where it is missing, and its path.

        This module itself where the name cannot be a path.
        """
        *path, last = name.split(".")
        module: nnx.Module = self
        for part in path:
            child = getattr(module, part, None)
            if child is None and part:
                child = nnx.Module()
                setattr(module, part, child)
            if type(child) is not nnx.Module:
                return self, (self._free(name),)
            module = child
        if last and not hasattr(module, last):
            return module, (*path, last)
        return self, (self._free(name),)

    def _free(self, name: str) -> str:
        while hasattr(self, name):
            name += "_"
        return name

    def variables(self) -> dict[str, nnx.Variable]:
        """Every variable that is a weight or state, by its name in the network."""
        return {name: self._at(path) for name, path in self.paths}

    def _at(self, path: tuple[str, ...]) -> Any:
        value: Any = self
        for part in path:
            value = getattr(value, part)
        return value

    def __call__(self, *inputs: jax.Array) -> Any:
        """Inputs in the network's order.

        An array, or a tuple where the network has several outputs.
        """
        variables = self.variables()
        context = Context(
            training=not self.deterministic, seed=self.seed, step=self.training_step.get_value()
        )
        arrays = dict(zip(self.input_names, map(jnp.asarray, inputs), strict=True))
        outputs = self.program(
            {**{n: v.get_value() for n, v in variables.items()}, **arrays}, context
        )
        if context.training:
            self.training_step.set_value(self.training_step.get_value() + 1)
            for name, value in context.updates.items():
                variables[name].set_value(value)
        if len(outputs) == 1:
            return outputs[0]
        return tuple(outputs)


def check_widths(network: Network) -> None:
    """Raises: UnsupportedError for weights of 64 bits where JAX has no such floats."""
    wide = sorted(
        name
        for name, array in network.weights.items()
        if array.dtype in (np.float64, np.complex128)
    )
    if wide and not jax.config.jax_enable_x64:
        raise UnsupportedError(
            "JAX keeps 64-bit floats only if they are turned on, and these weights are such: "
            f"{', '.join(wide[:20])}. "
            "Call jax.config.update('jax_enable_x64', True) first."
        )
