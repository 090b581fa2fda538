"""Operators that pick elements by position, or put them there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.axes import axis_of, one_axis
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator

_INDEX = np.dtype(np.int64)


def from_front(p: Any, indices: Any, length: int) -> Any:
    """Indices, int64, with negative ones counted from the end made positive."""
    indices = p.cast(indices, _INDEX)
    return p.where(p.less(indices, 0), p.add(indices, length), indices)


@operator("Gather")
def gather(p: Any, x: Any, indices: Any, *, axis: int = 0) -> Any:
    """Slices of x at indices along an axis; negative ones count from its end."""
    return p.take(x, from_front(p, indices, p.shape(x)[axis]), axis)


@operator("GatherElements")
def gather_elements(p: Any, x: Any, indices: Any, *, axis: int = 0) -> Any:
    """For each place in indices, x at the same place but at that index along the axis."""
    axis = axis_of(axis, len(p.shape(x)))
    flat = _element_places(p, p.shape(x), from_front(p, indices, p.shape(x)[axis]), axis)
    return p.reshape(p.take(p.reshape(x, (-1,)), p.reshape(flat, (-1,)), 0), p.shape(indices))


def _element_places(p: Any, shape: tuple[int, ...], indices: Any, axis: int) -> Any:
    """Positions in the flattened array of what GatherElements and ScatterElements address."""
    lengths = p.shape(indices)
    strides = np.cumprod([1, *reversed(shape[1:])])[::-1]
    # On every other axis an element stays at its own place.
    others = sum(
        (np.arange(n) * strides[i]).reshape(one_axis(i, len(shape)))
        for i, n in enumerate(lengths)
        if i != axis
    )
    # All indices become places in the flattened array, so that one primitive, take, is enough.
    places = p.multiply(indices, int(strides[axis]))
    if len(shape) > 1:
        return p.add(places, p.constant(np.broadcast_to(others, lengths).astype(np.int64)))
    return places


@operator("GatherND")
def gather_nd(p: Any, x: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    """x at coordinates, which the last axis of indices [..., k] holds.

    They are positions on the k axes of x after the batch axes.
    """
    shape, lengths = p.shape(x), p.shape(indices)
    depth = lengths[-1]
    if not (0 <= batch_dims < len(lengths) and batch_dims + depth <= len(shape)):
        raise ModelError(
            f"{batch_dims} batch axes and {depth} coordinates do not fit an array of "
            f"{len(shape)} axes."
        )
    places = _coordinates(p, indices, shape[batch_dims : batch_dims + depth])
    count = math.prod(shape[:batch_dims])
    addressed = math.prod(shape[batch_dims : batch_dims + depth])
    if batch_dims:
        # Each batch looks into its own part of the flattened array.
        offsets = (np.arange(count) * addressed).reshape(
            *shape[:batch_dims], *[1] * (len(lengths) - 1 - batch_dims)
        )
        places = p.add(places, p.constant(offsets))
    rest = shape[batch_dims + depth :]
    return p.take(p.reshape(x, (count * addressed, *rest)), places, 0)


def _coordinates(p: Any, indices: Any, shape: tuple[int, ...]) -> Any:
    """Coordinates [..., k] on axes of these lengths as positions in the flattened array, [...]."""
    lengths = p.constant(np.asarray(shape, np.int64))
    indices = p.cast(indices, _INDEX)
    indices = p.where(p.less(indices, 0), p.add(indices, lengths), indices)
    # Of a shape [a, b, c] these are [b * c, c, 1].
    strides = np.cumprod([1, *reversed(shape[1:])])[::-1].astype(np.int64)
    return p.sum(p.multiply(indices, p.constant(strides)), (-1,))


@operator("ScatterElements")
def scatter_elements(
    p: Any, x: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none"
) -> Any:
    """x with updates put at indices along an axis, alone or combined by add, mul, max or min."""
    axis = axis_of(axis, len(p.shape(x)))
    flat = _element_places(p, p.shape(x), from_front(p, indices, p.shape(x)[axis]), axis)
    result = p.scatter(
        p.reshape(x, (-1,)), p.reshape(flat, (-1,)), p.reshape(updates, (-1,)), reduction
    )
    return p.reshape(result, p.shape(x))


@operator("ScatterND")
def scatter_nd(p: Any, x: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    """x with updates put at coordinates, alone or combined by add, mul, max or min."""
    shape, depth = p.shape(x), p.shape(indices)[-1]
    places = p.reshape(_coordinates(p, indices, shape[:depth]), (-1,))
    rest = shape[depth:]
    flat = p.reshape(x, (math.prod(shape[:depth]), *rest))
    news = p.reshape(updates, (math.prod(p.shape(indices)[:-1]), *rest))
    return p.reshape(p.scatter(flat, places, news, reduction), shape)


@operator("TensorScatter", host=("starts",))
def tensor_scatter(
    p: Any,
    cache: Any,
    update: Any,
    starts: np.ndarray | None = None,
    *,
    axis: int = -2,
    mode: str = "linear",
) -> Any:
    """A cache [n, ..., length, ...] with an update written into it from a start for each n.

    If it is circular, an update goes on from its beginning.
    """
    shape, count = p.shape(cache), p.shape(update)[axis]
    axis = axis_of(axis, len(shape))
    if starts is None:
        starts = np.zeros(shape[0], np.int64)
    # Where each row of the update goes, for each example: known on the host, as starts are.
    places = starts[:, None] + np.arange(count)
    if mode == "circular":
        places = places % shape[axis]
    spread = places.reshape(shape[0], *one_axis(axis, len(shape), count)[1:])
    return scatter_elements(
        p, cache, p.constant(np.array(np.broadcast_to(spread, p.shape(update)))), update, axis=axis
    )


@operator("OneHot", host=("depth",))
def one_hot(p: Any, indices: Any, depth: np.ndarray, values: Any, *, axis: int = -1) -> Any:
    """values[1] at each index along a new axis of length depth, values[0] elsewhere."""
    length = int(np.asarray(depth).reshape(()))
    rank = len(p.shape(indices)) + 1
    axis = axis_of(axis, rank)
    room_for((length,), np.dtype(np.int64))
    places = p.constant(np.arange(length).reshape(one_axis(axis, rank)))
    wanted = from_front(p, indices, length)
    lengths = list(p.shape(indices))
    hit = p.equal(places, p.reshape(wanted, (*lengths[:axis], 1, *lengths[axis:])))
    # Sliced and not indexed, so that values may be an array of the framework with a gradient.
    off, on = (p.slice(values, [i], [i + 1], [1]) for i in (0, 1))
    return p.where(hit, p.reshape(on, ()), p.reshape(off, ()))


@operator("Compress", host=("condition",))
def compress(p: Any, x: Any, condition: np.ndarray, *, axis: int | None = None) -> Any:
    """The slices of x along an axis, or the elements of x flattened, at which a condition holds."""
    if axis is None:
        x = p.reshape(x, (-1,))
    return p.take(x, p.constant(np.flatnonzero(condition)), axis or 0)


@operator("NonZero", host=("*",))
def nonzero(p: Any, x: np.ndarray) -> np.ndarray:
    """The coordinates of elements that are not 0: [rank, count], int64."""
    return np.asarray(np.nonzero(x), np.int64)


@operator("Unique", host=("*",))
def unique(
    p: Any, x: np.ndarray, *, axis: int | None = None, sorted: int = 1
) -> tuple[np.ndarray, ...]:
    """The distinct slices of x, where each is first, which one each slice is, and their counts."""
    values, first, inverse, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    inverse = inverse.reshape(-1)
    if not sorted:
        # NumPy sorts them; here they come in the order in which they are first seen.
        order = np.argsort(first)
        values = np.take(values, order, axis or 0)
        first, counts = first[order], counts[order]
        inverse = np.argsort(order)[inverse]
    return values, first.astype(np.int64), inverse.astype(np.int64), counts.astype(np.int64)


@operator("ReverseSequence")
def reverse_sequence(
    p: Any, x: Any, lengths: Any, *, batch_axis: int = 1, time_axis: int = 0
) -> Any:
    """Each sequence of a batch with its first `length` steps in reverse order.

    Batch and time are the first two axes.
    """
    if not time_axis:
        return backward_in_time(p, x, lengths)
    order = (1, 0, *range(2, len(p.shape(x))))
    turned = backward_in_time(p, p.transpose(x, order), lengths)
    return p.transpose(turned, order)


def backward_in_time(p: Any, x: Any, lengths: Any) -> Any:
    """x [t, n, ...] backward in time, each sequence within its own length if there are such [n]."""
    if lengths is None:
        return p.flip(x, (0,))
    t, n, *rest = p.shape(x)
    steps = p.constant(np.arange(t)[:, None])
    ends = p.reshape(p.cast(lengths, np.dtype(np.int64)), (1, n))
    # Behind its own end a sequence stays as it is.
    source = p.where(p.less(steps, ends), p.subtract(p.subtract(ends, steps), 1), steps)
    # Over time and batch flattened: each sequence has an order of its own.
    places = p.add(p.multiply(source, n), p.constant(np.arange(n)))
    rows = p.reshape(x, (t * n, *rest))
    return p.reshape(p.take(rows, p.reshape(places, (-1,)), 0), (t, n, *rest))
