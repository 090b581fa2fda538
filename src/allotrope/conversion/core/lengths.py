"""What a converted network knows before it runs: constants, and lengths computed by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.graph import UNKNOWN, Graph, Node, Value
from allotrope.operators.elementwise import dtype_of
from allotrope.operators.interpret import Context, Program
from allotrope.operators.operator_table import OPERATORS, qualified


class Length(str):
    """The source of a number that is known only when the network runs, such as `n` or `n * 4`."""

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
        if other == 1:
            return self
        return Length(f"{self} * {other}")

    def __rmul__(self, other: object) -> Length:
        if other == 1:
            return self
        return Length(f"{other} * {self}")

    def __floordiv__(self, other: object) -> Length:
        if other == 1:
            return self
        return Length(f"({self} // {other})")


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
    """The outputs of a node whose inputs are all known.

    None if lengths are among them that the operator cannot take.
    """
    if any(array is not None and is_symbolic(array) for array in inputs):
        return _over_lengths(node, inputs)
    if qualified(node.domain, node.operator) not in OPERATORS or any(node.subgraphs):
        return None
    # The operator's own meaning over NumPy: the same that any framework would compute.
    host = ReferencePrimitives()
    arrays = {
        name: array
        for name, array in zip(node.inputs, inputs, strict=True)
        if name and array is not None
    }
    outputs = tuple(Value(name, UNKNOWN, None) for name in node.outputs if name)
    program = Program(Graph((), outputs, (node,), arrays), host, host)
    results = program.values({}, Context())
    if any(isinstance(array, list) for array in results):
        return None
    return [np.asarray(array) for array in results]


def _over_lengths(node: Node, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    """The same if lengths are among the inputs."""
    rule = None
    if not node.domain:
        rule = _OVER_LENGTHS.get(node.operator)
    others = [array for array in inputs if array is not None and not is_symbolic(array)]
    if rule is None or any(array.dtype.kind not in "iub" for array in others):
        return None
    result = rule(node, *inputs)
    if result is None:
        return None
    if isinstance(result, np.ndarray) and result.dtype == np.bool_:
        return [result]
    return [_settled(_objects(result))]


def refined(
    node: Node, known: Mapping[str, np.ndarray], values: Mapping[str, Value]
) -> dict[str, Value]:
    """What the lines know of what Reshape and Transpose give beyond shape inference, by name."""
    if node.domain or node.operator not in ("Reshape", "Transpose"):
        return {}
    before, after = values.get(node.inputs[0]), values.get(node.outputs[0])
    if before is None or after is None or before.shape is None:
        return {}
    if node.operator == "Transpose":
        order = node.attributes.get("perm") or tuple(reversed(range(len(before.shape))))
        shape: Sequence[Any] = [before.shape[axis] for axis in order]
    else:
        # Shape inference drops a shape in which one length is computed; its other lengths are
        # known.
        wanted = known.get(node.inputs[1])
        if wanted is None or wanted.ndim != 1 or node.attributes.get("allowzero", 0):
            return {}
        shape = [_axis(length, axis, before.shape) for axis, length in enumerate(wanted.tolist())]
    merged = list(shape)
    if after.shape is not None and len(after.shape) == len(shape):
        for axis, inferred in enumerate(after.shape):
            if inferred is not None:
                merged[axis] = inferred
    return {after.name: replace(after, shape=tuple(merged))}


def _axis(length: int | Length, axis: int, before: Sequence[Any]) -> Any:
    """A length that Reshape asks for, where it is a number or a variable's."""
    if isinstance(length, str) and length.isidentifier():
        return str(length)
    if isinstance(length, str):
        return None
    if length == 0 and axis < len(before):
        return before[axis]
    if length > 0:
        return length
    return None


def _objects(value: Any) -> np.ndarray:
    """An array of objects; a length alone, which NumPy would take for text, in one of no axes."""
    shape = ()
    if isinstance(value, np.ndarray):
        shape = value.shape
    array = np.empty(shape, object)
    array[...] = value
    return array


def _settled(array: np.ndarray) -> np.ndarray:
    """Plain whole numbers if no length is left among them."""
    if any(isinstance(length, str) for length in array.reshape(-1)):
        return array
    return array.astype(np.int64)


def _whole(*arrays: np.ndarray | None) -> list[list[int]] | None:
    """Arrays of whole numbers as lists; None if lengths are among them."""
    if any(array is not None and is_symbolic(array) for array in arrays):
        return None
    return [_numbers(array) for array in arrays]


def _numbers(array: np.ndarray | None) -> list[int]:
    if array is None:
        return []
    return [int(n) for n in array.reshape(-1)]


def _cast(node: Node, x: np.ndarray) -> np.ndarray | None:
    """Lengths stay what they are in another dtype of whole numbers."""
    if dtype_of(node.attributes["to"]) in (np.int64, np.int32):
        return x
    return None


def _divided(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """The quotient, which ONNX rounds toward zero: if nothing is subtracted it is not below it."""
    is_negative = any("-" in str(length) for array in (x, y) for length in array.reshape(-1))
    if is_negative:
        return None
    return np.asarray(_objects(x) // _objects(y))


def _concatenated(node: Node, *arrays: np.ndarray) -> np.ndarray:
    return np.concatenate([_objects(array) for array in arrays])


def _equal(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Lengths are never negative, as the marks are that exporters put for lengths that stay."""
    first, second = np.broadcast_arrays(_objects(x), _objects(y))
    answers = [_are_equal(a, b) for a, b in zip(first.flat, second.flat, strict=True)]
    if None in answers:
        return None
    return np.array(answers, np.bool_).reshape(first.shape)


def _are_equal(a: int | Length, b: int | Length) -> bool | None:
    """Whether two numbers are equal; False if one is a length and the other negative, else None."""
    texts = [n for n in (a, b) if isinstance(n, str)]
    if not texts:
        return a == b
    numbers = [n for n in (a, b) if isinstance(n, int)]
    if numbers and numbers[0] < 0 and "-" not in texts[0]:
        return False
    return None


def _chosen(node: Node, condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    if is_symbolic(condition):
        return None
    return np.where(condition, _objects(x), _objects(y))


def _gathered(node: Node, x: np.ndarray, indices: np.ndarray) -> Any:
    if is_symbolic(indices):
        return None
    return np.take(_objects(x), indices.astype(np.int64), node.attributes.get("axis", 0))


def _reshaped(node: Node, x: np.ndarray, shape: np.ndarray) -> np.ndarray | None:
    whole = _whole(shape)
    if whole is None:
        return None
    return x.reshape(whole[0])


def _slice(
    node: Node, x: np.ndarray, starts: Any, ends: Any, axes: Any = None, steps: Any = None
) -> np.ndarray | None:
    whole = _whole(starts, ends, axes, steps)
    if whole is None:
        return None
    cut: list[slice] = [slice(None)] * x.ndim
    first, last, chosen, strides = whole
    for i, axis in enumerate(chosen or range(len(first))):
        cut[axis] = slice(first[i], last[i], *strides[i : i + 1])
    return x[tuple(cut)]


def _unsqueeze(node: Node, x: np.ndarray, axes: np.ndarray) -> np.ndarray | None:
    whole = _whole(axes)
    if whole is None:
        return None
    return np.expand_dims(x, tuple(whole[0]))


def _squeeze(node: Node, x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray | None:
    whole = _whole(axes)
    if whole is None:
        return None
    if axes is None:
        return np.squeeze(x)
    return np.squeeze(x, tuple(whole[0]))


_OVER_LENGTHS: dict[str, Callable[..., Any]] = {
    "Add": lambda node, x, y: _objects(x) + _objects(y),
    "Cast": _cast,
    "Concat": _concatenated,
    "Div": _divided,
    "Equal": _equal,
    "Gather": _gathered,
    "Identity": lambda node, x: x,
    "Mul": lambda node, x, y: _objects(x) * _objects(y),
    "Reshape": _reshaped,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": lambda node, x, y: _objects(x) - _objects(y),
    "Unsqueeze": _unsqueeze,
    "Where": _chosen,
}
