"""Memory is measured before it is asked for: a few numbers can ask for more than any machine has.

What steers a shape (Expand, Range, Resize, …) is always measured. That two shapes of moderate size
multiply, as in MatMul, is measured where a network is run once, and not in the steps of a training,
which have no time for it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from allotrope.config import bytes_text
from allotrope.errors import ModelError
from allotrope.memory_limit import MEMORY_LIMIT, memory_limit

Shape = Sequence[int]


def room_for(shape: Shape, dtype: np.dtype) -> None:
    """Raises: ModelError where an array of this shape is larger than `memory_limit()`."""
    needed, limit = math.prod(map(int, shape)) * dtype.itemsize, memory_limit()
    if needed > limit:
        lengths = ", ".join(str(int(length)) for length in shape)
        raise ModelError(
            f"an array of {dtype} [{lengths}] would take {bytes_text(needed)}; one array may take "
            f"{bytes_text(limit)}. If it is meant, and fits, set {MEMORY_LIMIT}, such as "
            f"{MEMORY_LIMIT}=64GB."
        )


def bounded(p: Any) -> Any:
    """The same primitives, which measure each result that can be larger than what it is made of."""
    if isinstance(p, Bounded):
        return p
    # Without its __init__: an object that stands for p, in a class that measures first.
    measured: Any = object.__new__(_bounded_class(p.__class__))
    measured.__dict__ = p.__dict__  # the same constants, kept once
    return measured


@functools.cache
def _bounded_class(kind: type) -> type:
    return type(f"Bounded{kind.__name__}", (Bounded, kind), {})


class Bounded:
    """Before a primitive's own method, the measure of its result."""


def _measured(name: str, size: Callable[..., tuple[Shape, np.dtype]]) -> Callable[..., Any]:
    def run(self: Any, *arguments: Any, **keywords: Any) -> Any:
        shape, dtype = size(self, *arguments, **keywords)
        # Most results are small, and asking for the limit is not free.
        if math.prod(shape) > _SMALL:
            room_for(shape, dtype)
        return getattr(super(Bounded, self), name)(*arguments, **keywords)

    return run


_SMALL = 2**20
"""Elements of an array that nobody needs to ask for."""
_NUMBERS = (int, float, complex, np.generic)
"""Operands that have no axes."""


def _broadcast(p: Any, *arrays: Any) -> tuple[Shape, np.dtype]:
    """The result of elementwise primitives.

    Lengths that do not fit are for the primitive to refuse.
    """
    shaped = [x for x in arrays if not isinstance(x, _NUMBERS)]
    if not shaped:
        return (), np.dtype(np.float64)
    return _together(*map(p.shape, shaped)), p.dtype(shaped[-1])


def _compared(p: Any, *arrays: Any) -> tuple[Shape, np.dtype]:
    return _broadcast(p, *arrays)[0], np.dtype(np.bool_)


def _together(*shapes: Shape) -> list[int]:
    """The shape of several arrays broadcast together; a length of 0 goes before any other."""
    columns = itertools.zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return [max(column) * (0 not in column) for column in columns][::-1]


def _product(p: Any, x: Any, y: Any, *_: Any) -> tuple[Shape, np.dtype]:
    """Matrix products [..., n, m] of [..., n, k] and [..., k, m]."""
    first, second = p.shape(x), p.shape(y)
    return [*_together(first[:-2], second[:-2]), *first[-2:-1], *second[-1:]], p.dtype(x)


def _padded(p: Any, x: Any, before: Shape, after: Shape, *_: Any) -> tuple[Shape, np.dtype]:
    return [sum(lengths) for lengths in zip(p.shape(x), before, after, strict=True)], p.dtype(x)


def _taken(p: Any, x: Any, indices: Any, axis: int) -> tuple[Shape, np.dtype]:
    shape = list(p.shape(x))
    shape[axis : axis + 1 or None] = p.shape(indices)
    return shape, p.dtype(x)


def _joined(p: Any, arrays: Sequence[Any], axis: int) -> tuple[Shape, np.dtype]:
    shape = list(p.shape(arrays[0]))
    if shape:
        shape[axis] = sum(p.shape(x)[axis] for x in arrays)
    return shape, p.dtype(arrays[0])


def _convolved(
    p: Any,
    x: Any,
    weight: Any,
    bias: Any,
    strides: Shape,
    pads: Sequence[tuple[int, int]],
    dilations: Shape,
    groups: int,
) -> tuple[Shape, np.dtype]:
    """The larger of the padded input and the output."""
    batch, channels, *spatial = p.shape(x)
    filters, _, *kernel = p.shape(weight)
    wide = [n + before + after for n, (before, after) in zip(spatial, pads, strict=False)]
    # How far a dilated kernel reaches along each axis.
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=False)]
    places = [
        max(0, n - span) // stride + 1
        for n, span, stride in zip(wide, spans, strides, strict=False)
    ]
    return max([batch, channels, *wide], [batch, filters, *places], key=math.prod), p.dtype(x)


def _pooled(
    p: Any, x: Any, kernel: Shape, strides: Shape, pads: Sequence[tuple[int, int]]
) -> tuple[Shape, np.dtype]:
    batch, channels, *spatial = p.shape(x)
    return [
        batch,
        channels,
        *(n + before + after for n, (before, after) in zip(spatial, pads, strict=True)),
    ], p.dtype(x)


def _spread(
    p: Any, x: Any, weight: Any, strides: Shape, dilations: Shape, groups: int
) -> tuple[Shape, np.dtype]:
    batch, channels, *spatial = p.shape(x)
    kernel = p.shape(weight)[2:]
    places = [
        (n - 1) * s + d * (k - 1) + 1
        for n, k, s, d in zip(spatial, kernel, strides, dilations, strict=False)
    ]
    return [batch, max(channels, p.shape(weight)[1] * groups), *places], p.dtype(x)


def _contracted(p: Any, equation: str, *arrays: Any) -> tuple[Shape, np.dtype]:
    """An explicit equation without an ellipsis.

    The result of any other is as large as all that goes in at the most.
    """
    terms, _, result = equation.replace(" ", "").partition("->")
    named = zip(terms.split(","), (p.shape(x) for x in arrays), strict=True)
    lengths = {
        letter: n
        for term, shape in named
        for letter, n in zip(term.replace("...", ""), shape, strict=False)
    }
    return [lengths.get(letter, 1) for letter in result.replace("...", "")], p.dtype(arrays[0])


_SIZES: dict[str, Callable[..., tuple[Shape, np.dtype]]] = {
    "full": lambda p, shape, value, dtype: (shape, dtype),
    "arange": lambda p, count, dtype: ((count,), dtype),
    "broadcast_to": lambda p, x, shape: (shape, p.dtype(x)),
    "concatenate": _joined,
    "pad": _padded,
    "take": _taken,
    "matmul": _product,
    "linear": _product,
    "einsum": _contracted,
    "convolution": _convolved,
    "convolution_transpose": _spread,
    "max_pool": _pooled,
    "average_pool": _pooled,
    **dict.fromkeys(
        ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"), _broadcast
    ),
    **dict.fromkeys(
        ("floored_remainder", "truncated_remainder", "shift_left", "shift_right", "where"),
        _broadcast,
    ),
    **dict.fromkeys(("bitwise_xor", "bitwise_and", "bitwise_or"), _broadcast),
    **dict.fromkeys(
        ("equal", "less", "greater", "logical_and", "logical_or", "logical_xor"), _compared
    ),
}
for _name, _size in _SIZES.items():
    setattr(Bounded, _name, _measured(_name, _size))
