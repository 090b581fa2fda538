"""Operators that move elements without changing them: shapes, slices, gathers, padding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.table import operator


@operator("Shape")
def shape(p: Any, x: Any, *, start: int = 0, end: int | None = None) -> np.ndarray:
    """The lengths of x's axes from start to end, int64."""
    return np.asarray(p.shape(x)[slice(start, end)], np.int64)


@operator("Size")
def size(p: Any, x: Any) -> np.ndarray:
    """The number of elements, int64."""
    return np.asarray(math.prod(p.shape(x)), np.int64)


@operator("Reshape", host=("shape",))
def reshape(p: Any, x: Any, shape: np.ndarray, *, allowzero: int = 0) -> Any:
    """x in another shape; 0 keeps the length unless allowzero, -1 is what remains."""
    old = p.shape(x)
    wanted = [int(s) for s in shape]
    if not allowzero:
        wanted = [old[i] if s == 0 and i < len(old) else s for i, s in enumerate(wanted)]
    known = math.prod(s for s in wanted if s != -1)
    if -1 in wanted:
        wanted[wanted.index(-1)] = math.prod(old) // known if known else 0
    if math.prod(wanted) != math.prod(old):
        raise ModelError(f"an array of shape {tuple(old)} cannot take the shape {tuple(wanted)}.")
    return p.reshape(x, tuple(wanted))


@operator("Flatten")
def flatten(p: Any, x: Any, *, axis: int = 1) -> Any:
    """x as a matrix: the axes before `axis`, and the rest."""
    lengths = p.shape(x)
    axis = axis + len(lengths) if axis < 0 else axis
    return p.reshape(x, (math.prod(lengths[:axis]), math.prod(lengths[axis:])))


@operator("Transpose")
def transpose(p: Any, x: Any, *, perm: tuple[int, ...] | None = None) -> Any:
    """x with its axes in another order, reversed where none is given."""
    rank = len(p.shape(x))
    return p.transpose(x, tuple(perm) if perm is not None else tuple(reversed(range(rank))))


@operator("Squeeze", host=("axes",))
def squeeze(p: Any, x: Any, axes: np.ndarray | None = None) -> Any:
    """x without the given axes of length 1, or without all of them."""
    lengths = p.shape(x)
    drop = {int(a) % len(lengths) for a in axes} if axes is not None else {i for i, n in enumerate(lengths) if n == 1}
    wrong = [a for a in sorted(drop) if lengths[a] != 1]
    if wrong:
        raise ModelError(f"axes {wrong} of shape {tuple(lengths)} are not of length 1.")
    return p.reshape(x, tuple(n for i, n in enumerate(lengths) if i not in drop))


@operator("Unsqueeze", host=("axes",))
def unsqueeze(p: Any, x: Any, axes: np.ndarray) -> Any:
    """x with new axes of length 1 at the given places of the result."""
    lengths = list(p.shape(x))
    rank = len(lengths) + len(axes)
    for axis in sorted(int(a) % rank for a in axes):
        lengths.insert(axis, 1)
    return p.reshape(x, tuple(lengths))


@operator("Concat")
def concatenate(p: Any, *arrays: Any, axis: int) -> Any:
    """Arrays one after the other along an axis."""
    return p.concatenate(arrays, axis)


@operator("Expand", host=("shape",))
def expand(p: Any, x: Any, shape: np.ndarray) -> Any:
    """x broadcast together with a shape."""
    return p.broadcast_to(x, np.broadcast_shapes(tuple(p.shape(x)), tuple(int(s) for s in shape)))


@operator("Gather")
def gather(p: Any, x: Any, indices: Any, *, axis: int = 0) -> Any:
    """Slices of x at indices along an axis; negative ones count from its end."""
    length = p.shape(x)[axis]
    return p.take(x, p.where(p.less(indices, 0), p.add(indices, length), indices), axis)


@operator("Slice", host=("starts", "ends", "axes", "steps"))
def slice_(p: Any, x: Any, starts: np.ndarray, ends: np.ndarray, axes: np.ndarray | None = None, steps: np.ndarray | None = None) -> Any:
    """x[start:end:step] on the given axes, with Python's clamping."""
    lengths = p.shape(x)
    first, last, stride = [0] * len(lengths), list(lengths), [1] * len(lengths)
    axes = np.arange(len(starts)) if axes is None else axes
    for i, axis in enumerate(int(a) % len(lengths) for a in axes):
        step = 1 if steps is None else int(steps[i])
        begin, stop, step = slice(int(starts[i]), int(ends[i]), step).indices(lengths[axis])
        first[axis], last[axis], stride[axis] = begin, stop, step
    return p.slice(x, first, [None if e < 0 else e for e in last], stride)
