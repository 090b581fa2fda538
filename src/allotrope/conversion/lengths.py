"""What a converted network knows before it runs: constants, and lengths that its source computes by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from allotrope.frameworks.reference import ReferencePrimitives
from allotrope.network.graph import UNKNOWN, Graph, Node, Value
from allotrope.operators.interpret import Context, Program
from allotrope.operators.table import OPERATORS, qualified


class Length(str):
    """The source of a whole number that is known only when the network runs, such as `n` or `n * 4`."""

    __slots__ = ()

    def __add__(self, other: object) -> Length:
        return Length(f"({self} + {other})")

    def __radd__(self, other: object) -> Length:
        return Length(f"({other} + {self})")

    def __sub__(self, other: object) -> Length:
        return Length(f"({self} - {other})")

    def __rsub__(self, other: object) -> Length:
        return Length(f"({other} - {self})")

    def __mul__(self, other: object) -> Length:
        return self if other == 1 else Length(f"{self} * {other}")

    def __rmul__(self, other: object) -> Length:
        return self if other == 1 else Length(f"{other} * {self}")

    def __floordiv__(self, other: object) -> Length:
        return self if other == 1 else Length(f"({self} // {other})")


def is_symbolic(array: np.ndarray) -> bool:
    """Whether some of its elements are lengths."""
    return array.dtype == object


def shape_array(lengths: Sequence[int | Length]) -> np.ndarray:
    """The lengths as an array: int64 where all are known."""
    if all(isinstance(length, int) for length in lengths):
        return np.asarray(lengths, np.int64)
    array = np.empty(len(lengths), object)
    array[:] = list(lengths)
    return array


def computed(node: Node, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    """The outputs of a node whose inputs are all known; None where lengths are among them that the operator cannot take."""
    if any(array is not None and is_symbolic(array) for array in inputs):
        rule = _OVER_LENGTHS.get(node.operator)
        return None if rule is None else [_objects(rule(node, *inputs))]
    if qualified(node.domain, node.operator) not in OPERATORS or any(node.subgraphs):
        return None
    host = ReferencePrimitives()
    arrays = {name: array for name, array in zip(node.inputs, inputs, strict=True) if name and array is not None}
    outputs = tuple(Value(name, UNKNOWN, None) for name in node.outputs if name)
    program = Program(Graph((), outputs, (node,), arrays), host, host)
    return [np.asarray(array) for array in program.values({}, Context())]


def _objects(found: Any) -> np.ndarray:
    """An array of objects; a length alone, which NumPy would take for text, in one of no axes."""
    array = np.empty(np.shape(found) if isinstance(found, np.ndarray) else (), object)
    array[...] = found
    return array


def _slice(node: Node, x: np.ndarray, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> np.ndarray:
    cut: list[slice] = [slice(None)] * x.ndim
    for i, axis in enumerate(range(len(starts)) if axes is None else axes):
        cut[axis] = slice(int(starts[i]), int(ends[i]), None if steps is None else int(steps[i]))
    return x[tuple(cut)]


def _unsqueeze(node: Node, x: np.ndarray, axes: np.ndarray) -> np.ndarray:
    return np.expand_dims(x, tuple(int(axis) for axis in axes.reshape(-1)))


def _squeeze(node: Node, x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    return np.squeeze(x, None if axes is None else tuple(int(axis) for axis in axes.reshape(-1)))


_OVER_LENGTHS: dict[str, Callable[..., Any]] = {
    "Add": lambda node, x, y: _objects(x) + _objects(y),
    "Cast": lambda node, x: x,
    "Concat": lambda node, *arrays: np.concatenate([_objects(array) for array in arrays]),
    "Div": lambda node, x, y: _objects(x) // _objects(y),
    "Gather": lambda node, x, indices: _objects(np.take(x, indices.astype(np.int64), node.attributes.get("axis", 0))),
    "Identity": lambda node, x: x,
    "Mul": lambda node, x, y: _objects(x) * _objects(y),
    "Reshape": lambda node, x, shape: x.reshape([int(length) for length in shape]),
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": lambda node, x, y: _objects(x) - _objects(y),
    "Unsqueeze": _unsqueeze,
}
