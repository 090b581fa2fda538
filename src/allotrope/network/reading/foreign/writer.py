"""What a spelling writes with: nodes and constants that belong to one foreign node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.graph import UNKNOWN, Dimension, Node, Value
from allotrope.network.names import free_name


class NotYetKnownError(Exception):
    """A shape is needed that can be inferred only once other foreign nodes are spelled."""


class Writer:
    """Collects the nodes that mean what one foreign node means, in ONNX's `OPSET`."""

    def __init__(
        self,
        node: Node,
        arrays: Mapping[str, np.ndarray],
        known: Mapping[str, Value],
        taken: set[str],
        used: frozenset[str],
    ) -> None:
        """`known` is what is inferred of values, `used` are the names that somebody takes."""
        self.node = node
        self.arrays, self.known, self.taken, self.used = arrays, known, taken, used
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self.notes: list[str] = []
        """What is assumed of what the node is given, in sentences for the user."""
        self.stem = node.label

    def add(self, operator: str, *inputs: str | None, **attributes: Any) -> str:
        """Adds a node with one output; gives its name. Attributes that are None are left out."""
        return self.several(operator, 1, *inputs, **attributes)[0]

    def several(
        self, operator: str, count: int, *inputs: str | None, **attributes: Any
    ) -> tuple[str, ...]:
        """Adds a node with `count` outputs; gives their names."""
        outputs = tuple(free_name(f"{self.stem}/{operator}", self.taken) for _ in range(count))
        names = [name or "" for name in inputs]
        while names and not names[-1]:
            names.pop()
        plain = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(Node(operator, tuple(names), outputs, plain, outputs[0]))
        return outputs

    def constant(self, array: Any, dtype: Any = None, name: str = "constant") -> str:
        """Adds an array."""
        name = free_name(f"{self.stem}/{name}", self.taken)
        self.constants[name] = np.asarray(array, dtype)
        return name

    def ints(self, *values: int) -> str:
        """Adds an array of int64, such as a shape."""
        return self.constant(values, np.int64, "shape")

    def number(self, value: float, like: str) -> str:
        """Adds a number of the type of another value."""
        return self.constant(value, self.dtype(like), "number")

    def array(self, name: str | None) -> np.ndarray | None:
        """A value that is an array of the file; None if it is computed, or left out."""
        if name is None:
            return None
        array = self.constants.get(name)
        if array is None:
            return self.arrays.get(name)
        return array

    def fixed(self, name: str, what: str) -> np.ndarray:
        """An array of the file. Raises: UnsupportedError if the value is computed."""
        array = self.array(name)
        if array is None:
            raise UnsupportedError(
                f"its {what} '{name}' is computed; it is understood only as an array of the file"
            )
        return array

    def integer(self, name: str, what: str) -> int:
        """The value of an array of the file with one whole number."""
        array = self.fixed(name, what)
        if array.size != 1:
            raise UnsupportedError(f"its {what} '{name}' has {array.size} numbers, expected one")
        return int(array.reshape(()))

    def shape(self, name: str) -> tuple[Dimension, ...]:
        """The shape of a value. Raises: NotYetKnownError if its rank is not known."""
        array = self.array(name)
        value = self.known.get(name)
        if array is not None:
            shape = array.shape
        elif value is None:
            shape = None
        else:
            shape = value.shape
        if shape is None:
            raise NotYetKnownError(f"the number of axes of '{name}' is not known")
        return shape

    def rank(self, name: str) -> int:
        """The number of axes of a value. Raises: NotYetKnownError."""
        return len(self.shape(name))

    def dtype(self, name: str) -> np.dtype:
        """The type of a value, float32 if it is not known."""
        array = self.array(name)
        value = self.known.get(name)
        if array is not None:
            return array.dtype
        if value is not None and value.dtype != UNKNOWN:
            return value.dtype
        return np.dtype(np.float32)

    def wants(self, output: int) -> bool:
        """Whether somebody takes the output at this position."""
        return output < len(self.node.outputs) and self.node.outputs[output] in self.used

    def only(self, *outputs: int) -> None:
        """Raises: UnsupportedError if somebody takes an output that is not among these."""
        others = [
            name for i, name in enumerate(self.node.outputs) if i not in outputs and self.wants(i)
        ]
        if others:
            raise UnsupportedError(
                f"its output {', '.join(others)} is used, which is not understood"
            )

    # --- what many spellings need

    def swapped(self, x: str) -> str:
        """x with its last two axes swapped."""
        rank = self.rank(x)
        if rank < 2:
            raise UnsupportedError(f"'{x}' has {rank} axes, expected two or more")
        return self.add("Transpose", x, perm=(*range(rank - 2), rank - 1, rank - 2))

    def channels_first(self, x: str, rank: int) -> str:
        """x [n, ..., c] as [n, c, ...]."""
        return self.add("Transpose", x, perm=(0, rank - 1, *range(1, rank - 1)))

    def channels_last(self, x: str, rank: int) -> str:
        """x [n, c, ...] as [n, ..., c]."""
        return self.add("Transpose", x, perm=(0, *range(2, rank), 1))

    def length(self, x: str, axis: int) -> str:
        """The length of an axis, [1]."""
        if axis == -1:
            return self.add("Shape", x, start=axis)
        return self.add("Shape", x, start=axis, end=axis + 1)
