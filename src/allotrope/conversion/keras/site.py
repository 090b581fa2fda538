"""What the rules for Keras ask of a node, and the layers that they make."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from allotrope.conversion.core.channels_last import LastSite
from allotrope.conversion.core.layers import SHOWN, NoForm
from allotrope.conversion.core.source import Expression, Group, call, identifier, literal, printable
from allotrope.network.network import Network


class KerasLayers:
    """The layers of a functional model by their names: the paths of their weights in the ONNX file.

    `arrays` are what they hold, by `<layer>/<number>`; `places` say where there each weight of the
    ONNX file is.
    """

    target = "Keras"
    tables: ClassVar[tuple[str, ...]] = (
        "arrays",
        "places",
        "made",
        "uses",
        "shapes",
        "_homes",
        "_shared",
    )

    def __init__(self, network: Network, apart: frozenset[str] = frozenset()) -> None:
        """`apart` are weights that no layer may hold: several nodes use them in different ways."""
        self.network, self.apart = network, apart
        self.contested: set[str] = set()
        self.shapes: dict[str, tuple[int | None, ...] | None] = {}
        self.arrays: dict[str, np.ndarray] = {}
        self.places: dict[str, str] = {}
        self.made: dict[str, Group] = {}
        self.uses: dict[str, int] = {}
        self.needs_index = False
        self._homes: dict[str, tuple[str, Any]] = {}
        self._shared: dict[tuple[Any, ...], str] = {}

    def mark(self) -> tuple[Any, ...]:
        """What `rewind` goes back to."""
        return self.needs_index, *(copy.copy(getattr(self, name)) for name in self.tables)

    def rewind(self, mark: tuple[Any, ...]) -> None:
        """Everything as it was at the mark."""
        self.needs_index, *tables = mark
        for name, table in zip(self.tables, tables, strict=True):
            setattr(self, name, table)

    def layer(
        self,
        node_name: str,
        function: str,
        arguments: Sequence[Any],
        options: dict[str, Any],
        arrays: Sequence[tuple[str, np.ndarray]],
        rank: int | None = None,
    ) -> str:
        """A layer, or the same again where its making and all its arrays are the same.

        `arrays` in the order of its variables.

        `rank` is that of what it is given.
        """
        key = (function, str(arguments), str(options), *(name for name, _ in arrays))
        if arrays and key in self._shared:
            self.uses[self._shared[key]] += 1
            return f"«{self._shared[key]}»"
        taken = [name for name, _ in arrays if name and self._homes.get(name, (None,))[0]]
        if taken:
            raise NoForm(
                f"its weight '{taken[0]}' belongs to layer '{self._homes[taken[0]][0]}' too, "
                "and Keras shares only whole layers"
            )
        name = self._name(node_name, [name for name, _ in arrays])
        self.made[name] = call(f"layers.{function}", *arguments, **options, name=f'"{name}"')
        self.uses[name] = 1
        self.shapes[name] = taken_shape(
            function, arguments, options, [array for _, array in arrays], rank
        )
        for number, (weight, array) in enumerate(arrays):
            self.arrays[f"{name}/{number}"] = array
            if weight:
                self._homes[weight] = (name, None)
                self.places[weight] = f"{name}/{number}"
        self._shared[key] = name
        return f"«{name}»"

    def learns(self, names: Sequence[str]) -> bool | None:
        """False where none of these weights learn, None where all do.

        Raises: NoForm where only some do.
        """
        learning = {name in self.network.trainable for name in names if name}
        if learning == {True, False}:
            raise NoForm("some of its weights are frozen, and Keras freezes only whole layers")
        if learning == {False}:
            return False
        return None

    def number(self, array: np.ndarray) -> str | None:
        """A constant of one number as it is written; None for others."""
        if array.size == 1:
            return literal(array.reshape(-1)[0])
        return None

    def constant(self, name: str, array: np.ndarray) -> str:
        """A constant: a number, or an array."""
        return self.number(array) or self.buffer(name, array)

    def buffer(self, name: str, array: np.ndarray) -> str:
        """A constant as an array; a large one is a weight that does not learn."""
        if array.size > 16 * SHOWN and array.dtype.kind == "f":
            return self.parameter(name, array, trainable=False)
        if array.dtype.kind == "f" and array.dtype != np.float64:
            values = array.astype(np.float64).tolist()
        else:
            values = array.tolist()
        return f'np.array({literal(values)}, "{array.dtype.name}")'

    def parameter(self, name: str, array: np.ndarray, *, trainable: bool) -> str:
        """A weight that no layer has: an Embedding of one row, or the rows of one in use."""
        self.needs_index = True
        home, form = self._homes.get(name, (None, None))
        # The rows of a table that another layer has: it is asked for all of them.
        if home is not None and form == "rows":
            self.uses[home] += 1
            return f"«{home}»(first_index + np.arange({array.shape[0]}))"
        if home is not None and (form is None or form != array.shape):
            raise NoForm(
                f"its weight '{name}' belongs to layer '{home}' too, and Keras shares only "
                "whole layers"
            )
        if home is None:
            home = self._name(name, [f"{name.removesuffix('.weight')}.weight"])
            options = {}
            if not trainable:
                options = {"trainable": False}
            self.made[home] = call("layers.Embedding", 1, array.size, **options, name=f'"{home}"')
            self.uses[home] = 1
            self.arrays[f"{home}/0"] = array.reshape(1, -1)
            self._homes[name] = (home, array.shape)
            self.places[name] = f"{home}/0"
        self.uses[home] += 1
        return f"ops.reshape(«{home}»(first_index), {literal(array.shape)})"

    def rows(self, name: str, home: str) -> None:
        """Say that a weight is the table of an Embedding, whose rows can be asked for."""
        self._homes[name] = (home, "rows")

    def are_free(self, names: Sequence[str]) -> bool:
        """Whether no layer holds any of these arrays."""
        return not any(name in self._homes or name in self.apart for name in names)

    def _name(self, node_name: str, weights: Sequence[str]) -> str:
        stems = {weight.rpartition(".")[0] for weight in weights if weight}
        text = node_name
        if len(stems) == 1:
            text = stems.pop() or text
        else:
            text = next((w.rpartition(".")[0] for w in weights if w.endswith(".weight")), text)
        # Numbers stay as they are: they are places in a list.
        parts = list(filter(None, printable(text).split(".")))
        for place, part in enumerate(parts):
            if not part.isdigit():
                parts[place] = identifier(part)
        text = ".".join(parts)
        name, number = text, 1
        # Layers of a model have names of their own.
        while name in self.made:
            number += 1
            name = f"{text}_{number}"
        return name


def taken_shape(
    function: str,
    arguments: Sequence[Any],
    options: Mapping[str, Any],
    arrays: Sequence[np.ndarray],
    rank: int | None,
) -> tuple[int | None, ...] | None:
    """The shape with which a layer is built: what its weights say of it, None for the rest.

    None for layers without weights.
    """
    if not arrays:
        return None
    first = arrays[0]
    if "Conv" in function:
        if "Transpose" in function:
            channels = first.shape[-1]
        else:
            channels = first.shape[-2] * (options.get("groups") or 1)
        return (*[None] * (first.ndim - 1), channels)
    if function == "Dense":
        return (None, first.shape[0])
    if function == "Embedding":
        return (None, None)
    if function in ("LSTM", "GRU", "SimpleRNN"):
        return (None, None, first.shape[0])
    if function == "PReLU":
        return (*[None] * first.ndim, first.shape[-1])
    return (*[None] * ((rank or 2) - first.ndim), *first.shape)


class KerasSite(LastSite):
    """A node, in the terms of Keras."""

    keeps_inputs = True
    foreign = tuple(
        np.dtype(name)
        for name in ("float16", "float64", ml_dtypes.bfloat16, "complex64", "complex128", "uint64")
    )
    """Layers bring floats to float32, and Keras gives uint32 for sums of uint64."""

    @staticmethod
    def transposed(source: str, order: Sequence[int]) -> Expression:
        """The expression with its axes in another order."""
        return call("ops.transpose", source, tuple(order))

    def moved(self, position: int, array: np.ndarray) -> str:
        """A weight or constant in another order of its axes."""
        name = self.node.inputs[position]
        if name in self.translation.network.weights:
            return self.layers.parameter(
                name, array, trainable=name in self.translation.network.trainable
            )
        return self.layers.constant(name, array)

    def length(self, position: int, axis: int) -> str:
        """The source that computes the length of an input's axis."""
        return f"ops.shape({self.first(position)})[{axis}]"

    def layer(
        self,
        function: str,
        *arguments: Any,
        weights: Sequence[tuple[int, np.ndarray]] = (),
        **options: Any,
    ) -> str:
        """A layer of this node.

        `weights` are (input, array in the layer's form) in the order of the layer's variables.
        """
        arrays = [(self.node.inputs[position], array) for position, array in weights]
        options = {**options, "trainable": self.layers.learns([name for name, _ in arrays])}
        rank = None
        if (shape := self.shape()) is not None:
            rank = len(shape)
        return str(self.layers.layer(self.name(), function, arguments, options, arrays, rank))

    def mixed(self, *positions: int) -> bool:
        """Whether some of these weights learn and others do not."""
        return (
            len(
                {
                    self.node.inputs[i] in self.translation.network.trainable
                    for i in positions
                    if self.has(i)
                }
            )
            > 1
        )

    def raw(self, position: int) -> str:
        """A weight by itself, which no layer holds."""
        array, name = self.array(position), self.node.inputs[position]
        assert array is not None
        return str(
            self.layers.parameter(name, array, trainable=name in self.translation.network.trainable)
        )
