"""What the rules for JAX (flax.nnx) ask of a node, and the modules that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.conversion.core.channels_last import LastSite
from allotrope.conversion.core.geometry import unusual
from allotrope.conversion.core.layers import SHOWN, Layers
from allotrope.conversion.core.source import Expression, Group, call, literal

ATTRIBUTES = frozenset(
    """
    append clear copy count deepcopy eval extend get index insert items iter_children iter_modules
    keys pop popitem perturb remove reverse set_attributes setdefault sow train update values
    """.split()  # noqa: SIM905 - a list would take a line a word
)
"""Attributes of nnx.Module, nnx.List and nnx.Dict, which no submodule may be called after."""


class JaxLayers(Layers):
    """Submodules of `flax.nnx`."""

    target = "JAX"
    reserved = ATTRIBUTES
    containers = ("nnx.List(", "nnx.Dict(", "nnx.Dict()")
    value_of = "[...]"
    numbered = ("setattr(", ("self",), 'getattr(self, "{}")')

    def parameter_made(self, array: np.ndarray, trainable: bool) -> Expression:
        """An `nnx.Param` that the file of weights fills.

        One that does not learn is no `nnx.Param`.
        """
        dtype = unusual(f"jnp.{array.dtype.name}", "jnp.float32")
        zeros = call("jnp.zeros", array.shape, dtype=dtype)
        opening = "nnx.Variable("
        if trainable:
            opening = "nnx.Param("
        return Group(opening, (("", zeros),), ")")

    def buffer(self, name: str, array: np.ndarray) -> str:
        """A constant: an array as it is written; a large one is a variable that does not learn."""
        # Large constants belong into the file of weights, not into the source.
        if array.size > 4 * SHOWN:
            return self.parameter(name, array, trainable=False)
        if array.dtype.kind == "f" and array.dtype != np.float64:
            values = array.astype(np.float64).tolist()
        else:
            values = array.tolist()
        if array.dtype == np.bool_:
            dtype = ""
        else:
            dtype = f", jnp.{array.dtype.name}"
        return f"jnp.array({literal(values)}{dtype})"


class JaxSite(LastSite):
    """A node, in the terms of JAX."""

    @staticmethod
    def transposed(source: str, order: Sequence[int]) -> Expression:
        """The expression with its axes in another order."""
        return call("jnp.transpose", source, tuple(order))

    def moved(self, position: int, array: np.ndarray) -> str:
        """A weight or constant in another order of its axes."""
        name = self.node.inputs[position]
        weight = self.translation.network.weights.get(name)
        if weight is None:
            return str(self.layers.constant(name, array))
        source = str(
            self.layers.parameter(
                name, weight, trainable=name in self.translation.network.trainable
            )
        )
        if weight.shape == array.shape and weight.ndim < 2:
            return source
        rank = self.rank_of_output()
        if rank - weight.ndim == 1 and weight.ndim >= 2 and all(n == 1 for n in weight.shape[1:]):
            return f"{source}.reshape(-1)"  # [c, 1, 1]: one number for each channel
        if weight.ndim == rank:
            wide = source
        else:
            wide = f"{source}[{'None, ' * (rank - weight.ndim)}...]"
        return f"jnp.moveaxis({wide}, 1, -1)"

    def rank_of_output(self) -> int:
        """How many axes the widest input has."""
        return max(self.rank(i) for i in range(len(self)))

    def length(self, position: int, axis: int) -> str:
        """The source that computes the length of an input's axis."""
        return f"{self.first(position)}.shape[{axis}]"

    def layer(
        self,
        function: str,
        *arguments: Any,
        weights: dict[str, tuple[int, np.ndarray]] | None = None,
        **options: Any,
    ) -> str:
        """A module of this node; `weights` are (input, array in the module's form) by attribute."""
        made = call(f"nnx.{function}", *arguments, **options, rngs="rngs")
        arrays = {
            name: self.named(position, array) for name, (position, array) in (weights or {}).items()
        }
        originals = {
            name: array
            for i, name in enumerate(self.node.inputs)
            if (array := self.array(i)) is not None
        }
        return str(self.layers.layer(self.name(), made, arrays, originals, state=("mean", "var")))
