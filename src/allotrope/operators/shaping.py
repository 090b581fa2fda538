"""Operators that move elements without changing them: shapes, slices, gathers, padding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.axes import axes_of, axis_of
from allotrope.operators.elementwise import dtype_of
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator


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
        for i in range(min(len(wanted), len(old))):
            wanted[i] = wanted[i] or old[i]
    known = math.prod(s for s in wanted if s != -1)
    if -1 in wanted:
        remaining = 0
        if known:
            remaining = math.prod(old) // known
        wanted[wanted.index(-1)] = remaining
    if math.prod(wanted) != math.prod(old):
        raise ModelError(f"an array of shape {tuple(old)} cannot take the shape {tuple(wanted)}.")
    return p.reshape(x, tuple(wanted))


@operator("Flatten")
def flatten(p: Any, x: Any, *, axis: int = 1) -> Any:
    """x as a matrix: the axes before `axis`, and the rest."""
    lengths = p.shape(x)
    if axis != len(lengths):
        axis = axis_of(axis, len(lengths))
    return p.reshape(x, (math.prod(lengths[:axis]), math.prod(lengths[axis:])))


@operator("Transpose")
def transpose(p: Any, x: Any, *, perm: tuple[int, ...] | None = None) -> Any:
    """x with its axes in another order, reversed if none is asked for."""
    rank = len(p.shape(x))
    if perm is None:
        perm = tuple(reversed(range(rank)))
    return p.transpose(x, tuple(perm))


@operator("Squeeze", host=("axes",))
def squeeze(p: Any, x: Any, axes: np.ndarray | None = None) -> Any:
    """x without the given axes of length 1, or without all of them."""
    lengths = p.shape(x)
    ones = {i for i, n in enumerate(lengths) if n == 1}
    if axes is None:
        drop = ones
    else:
        drop = set(axes_of(np.asarray(axes).reshape(-1), len(lengths)))
    wrong = sorted(drop - ones)
    if wrong:
        raise ModelError(f"axes {wrong} of shape {tuple(lengths)} are not of length 1.")
    return p.reshape(x, tuple(n for i, n in enumerate(lengths) if i not in drop))


@operator("Unsqueeze", host=("axes",))
def unsqueeze(p: Any, x: Any, axes: np.ndarray) -> Any:
    """x with new axes of length 1 at the given places of the result."""
    lengths, places = list(p.shape(x)), np.asarray(axes).reshape(-1)
    rank = len(lengths) + len(places)
    for axis in sorted(axes_of(places, rank)):
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


@operator("Slice", host=("starts", "ends", "axes", "steps"))
def slice_(
    p: Any,
    x: Any,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> Any:
    """x[start:end:step] on the given axes, with Python's clamping.

    Backward from before the first element it begins at that.
    """
    lengths = p.shape(x)
    first, stride = [0] * len(lengths), [1] * len(lengths)
    last: list[int | None] = list(lengths)
    if axes is None:
        axes = np.arange(len(starts))
    if steps is None:
        steps = np.ones(len(axes), np.int64)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise ModelError("starts, ends, axes and steps must be equally many.")
    for i, axis in enumerate(axes_of(axes, len(lengths))):
        asked = slice(int(starts[i]), int(ends[i]), int(steps[i]))
        begin, stop, step = asked.indices(lengths[axis])
        first[axis], last[axis], stride[axis] = max(begin, 0), stop, step
        # Backward, an end before the first element has no number: -1 would be the last.
        if stop < 0:
            last[axis] = None
    return p.slice(x, first, last, stride)


@operator("Constant")
def constant(
    p: Any,
    *,
    value: np.ndarray | None = None,
    value_float: float | None = None,
    value_floats: tuple[float, ...] | None = None,
    value_int: int | None = None,
    value_ints: tuple[int, ...] | None = None,
) -> np.ndarray:
    """The array or number that the attributes hold."""
    if value is not None:
        return value
    for floats in (value_float, value_floats):
        if floats is not None:
            return np.asarray(floats, np.float32)
    if value_int is not None:
        return np.asarray(value_int, np.int64)
    return np.asarray(value_ints, np.int64)


@operator("ConstantOfShape", host=("shape",))
def constant_of_shape(p: Any, shape: np.ndarray, *, value: np.ndarray | None = None) -> Any:
    """An array of the given shape, filled with a value, or with 0.0."""
    if value is None:
        value = np.zeros(1, np.float32)
    return p.full(tuple(int(n) for n in shape), value.reshape(-1)[0].item(), value.dtype)


@operator("Range", host=("*",))
def range_(p: Any, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> Any:
    """start, start + delta, … up to and without the limit."""
    count = max(0, math.ceil((limit.item() - start.item()) / delta.item()))
    room_for((count,), np.dtype(np.int64))
    return (start + np.arange(count).astype(start.dtype) * delta).astype(start.dtype)


@operator("EyeLike")
def eye_like(p: Any, x: Any, *, dtype: int | None = None, k: int = 0) -> Any:
    """1 on the k-th diagonal, 0 elsewhere, of x's shape [rows, columns]."""
    rows, columns = p.shape(x)
    room_for((rows, columns), np.dtype(np.float64))
    if dtype is None:
        return np.eye(rows, columns, k, dtype=p.dtype(x))
    return np.eye(rows, columns, k, dtype=dtype_of(dtype))


@operator("Split", host=("lengths",))
def split(
    p: Any,
    x: Any,
    lengths: np.ndarray | None = None,
    *,
    axis: int = 0,
    num_outputs: int | None = None,
    context: Any,
) -> tuple[Any, ...]:
    """Pieces of x along an axis: of the given lengths, or of equal ones with a shorter last."""
    shape = p.shape(x)
    axis = axis_of(axis, len(shape))
    if lengths is None:
        pieces = num_outputs or context.outputs
        size = -(-shape[axis] // pieces)
        lengths = np.asarray(
            [min(size, shape[axis] - i * size) for i in range(min(pieces, context.outputs))]
        )
    if min(lengths, default=0) < 0 or sum(map(int, lengths)) > shape[axis]:
        raise ModelError(
            f"pieces of lengths {[int(n) for n in lengths]} cannot be cut from {shape[axis]}."
        )
    pieces_of = [int(length) for length in lengths]
    if sum(pieces_of) < shape[axis]:
        x = narrow(p, x, axis, 0, sum(pieces_of))
    return p.split(x, pieces_of, axis)


def narrow(p: Any, x: Any, axis: int, start: int, stop: int) -> Any:
    """x[start:stop] along an axis."""
    stops = list(p.shape(x))
    starts = [0] * len(stops)
    starts[axis], stops[axis] = start, stop
    return p.slice(x, starts, stops, [1] * len(stops))


@operator("Tile", host=("repeats",))
def tile(p: Any, x: Any, repeats: np.ndarray) -> Any:
    """x repeated along each axis."""
    shape, times = p.shape(x), [int(r) for r in repeats]
    # An axis of length 1 before each axis is broadcast, then both are one: no gather is needed.
    apart = p.reshape(x, [n for length in shape for n in (1, length)])
    spread = p.broadcast_to(apart, [n for pair in zip(times, shape, strict=True) for n in pair])
    return p.reshape(spread, [r * n for r, n in zip(times, shape, strict=True)])


@operator("Pad", host=("pads", "constant_value", "axes"))
def pad(
    p: Any,
    x: Any,
    pads: np.ndarray,
    constant_value: np.ndarray | None = None,
    axes: np.ndarray | None = None,
    *,
    mode: str = "constant",
) -> Any:
    """x longer, or shorter if pads are negative, at both ends of the given axes."""
    rank = len(p.shape(x))
    chosen = list(range(rank))
    if axes is not None:
        chosen = axes_of(axes, rank)
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(chosen):
        before[axis], after[axis] = int(pads[i]), int(pads[len(pads) // 2 + i])
    starts = [max(0, -b) for b in before]
    stops = [n - max(0, -a) for n, a in zip(p.shape(x), after, strict=True)]
    # Negative pads cut, which is a slice; a pad of the rest follows.
    if any(n < 0 for n in (*before, *after)):
        x = p.slice(x, starts, stops, [1] * rank)
    value = 0
    if constant_value is not None:
        value = np.asarray(constant_value).reshape(-1)[0].item()
    return p.pad(x, [max(0, b) for b in before], [max(0, a) for a in after], mode, value)


@operator("Trilu", host=("k",))
def triangle(p: Any, x: Any, k: np.ndarray | None = None, *, upper: int = 1) -> Any:
    """The upper or lower triangle of matrices, from the k-th diagonal; 0 elsewhere."""
    rows, columns = p.shape(x)[-2:]
    offset = 0
    if k is not None:
        offset = int(np.asarray(k).reshape(()))
    room_for((rows, columns), np.dtype(bool))
    if upper:
        inside = np.triu(np.ones((rows, columns), bool), offset)
    else:
        inside = np.tril(np.ones((rows, columns), bool), offset)
    return p.where(p.constant(inside), x, 0)


@operator("DepthToSpace")
def depth_to_space(p: Any, x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    """Channels of x [n, c, h, w] moved into blocks of pixels, in depth-column-row order or CRD."""
    n, c, h, w = p.shape(x)
    b, depth = blocksize, c // blocksize**2
    if mode == "DCR":
        # Block rows go behind rows and block columns behind columns, wherever they stood.
        x = p.transpose(p.reshape(x, (n, b, b, depth, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        x = p.transpose(p.reshape(x, (n, depth, b, b, h, w)), (0, 1, 4, 2, 5, 3))
    return p.reshape(x, (n, depth, h * b, w * b))


@operator("SpaceToDepth")
def space_to_depth(p: Any, x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    """Blocks of pixels of x [n, c, h, w] moved into channels, in depth-column-row order or CRD."""
    n, c, h, w = p.shape(x)
    b = blocksize
    order = 0, 1, 3, 5, 2, 4
    if mode == "DCR":
        order = 0, 3, 5, 1, 2, 4
    x = p.transpose(p.reshape(x, (n, c, h // b, b, w // b, b)), order)
    return p.reshape(x, (n, c * b * b, h // b, w // b))
