"""Pooling.

Counts of partial windows and places of maxima are worked out here from shapes alone, the same for
every framework.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from allotrope.operators.convolution import Pads, resolve_pads, window
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator


def _geometry(
    p: Any,
    x: Any,
    kernel: Sequence[int],
    auto_pad: str,
    ceil_mode: int,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> tuple[tuple[int, ...], tuple[int, ...], Pads, Pads]:
    """Strides, dilations, the pads that are asked for, and these lengthened as ceil_mode wants."""
    strides = tuple(strides or (1,) * len(kernel))
    dilations = tuple(dilations or (1,) * len(kernel))
    spatial = p.shape(x)[2:]
    asked = longer = resolve_pads(auto_pad, pads, spatial, kernel, strides, dilations)
    if ceil_mode:
        longer = ceiling_pads(spatial, kernel, strides, dilations, asked)
    return strides, dilations, asked, longer


def ceiling_pads(
    spatial: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Pads,
) -> Pads:
    """Pads lengthened so that the last, partial window counts.

    a window that would begin in the padding after is dropped.
    """
    longer = []
    for n, k, s, d, (before, after) in zip(spatial, kernel, strides, dilations, pads, strict=True):
        free = n + before + after - window(k, d)
        count = -(-free // s) + 1
        # A last window must begin inside the input or the padding before it (PyTorch and ONNX
        # agree).
        if (count - 1) * s >= n + before:
            count -= 1
        longer.append((before, max(after, (count - 1) * s + window(k, d) - n - before)))
    return longer


@operator("MaxPool")
def max_pool(
    p: Any,
    x: Any,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    storage_order: int = 0,
    strides: Sequence[int] | None = None,
    context: Any,
) -> Any:
    """Largest of each window, and if asked for its place in x flattened.

    Places are counted by columns first if storage_order is 1. Dilated windows are made of their
    places, for few frameworks have a kernel for them that can be differentiated.
    """
    strides, dilations, _, ends = _geometry(
        p, x, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides
    )
    if context.wants(1):
        return _max_pool_with_places(p, x, kernel_shape, strides, ends, dilations, storage_order)
    if any(d > 1 for d in dilations):
        return functools.reduce(
            p.maximum, _places_of_windows(p, x, kernel_shape, strides, ends, dilations)
        )
    return p.max_pool(x, tuple(kernel_shape), strides, ends)


def _places_of_windows(
    p: Any,
    x: Any,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Pads,
    dilations: Sequence[int],
) -> Iterator[Any]:
    """For each place of the kernel what every window of x has there: [n, c, *positions]."""
    x = p.pad(
        x,
        [0, 0, *(a for a, _ in pads)],
        [0, 0, *(b for _, b in pads)],
        "constant",
        _lowest(p.dtype(x)),
    )
    n, c, *spatial = p.shape(x)
    counts = [
        (m - window(k, d)) // s + 1
        for m, k, s, d in zip(spatial, kernel, strides, dilations, strict=True)
    ]
    # One slice for each place of the kernel: their maximum is that of the windows.
    for place in np.ndindex(*kernel):
        starts = [i * d for i, d in zip(place, dilations, strict=True)]
        stops = [a + (m - 1) * s + 1 for a, m, s in zip(starts, counts, strides, strict=True)]
        yield p.slice(x, [0, 0, *starts], [n, c, *stops], [1, 1, *strides])


def _max_pool_with_places(
    p: Any,
    x: Any,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Pads,
    dilations: Sequence[int],
    storage_order: int,
) -> tuple[Any, Any]:
    n, c, *spatial = p.shape(x)
    sources, outside, positions = window_sources(
        tuple(spatial), tuple(kernel), tuple(strides), tuple(pads), tuple(dilations)
    )
    values = p.take(p.reshape(x, (n, c, math.prod(spatial))), p.constant(sources), 2)
    values = p.where(p.constant(outside), p.full((), _lowest(p.dtype(x)), p.dtype(x)), values)
    best = p.argmax(values, -1)
    count = math.prod(positions)
    # Each best place within its window, as an index into all places of all windows.
    chosen = p.add(p.constant(np.arange(count) * sources.shape[1]), p.reshape(best, (n, c, count)))
    # What a place is called: by rows first, or by columns first.
    order = np.arange(math.prod(spatial)).reshape(spatial)
    if storage_order:
        order = np.arange(math.prod(spatial)).reshape(spatial[::-1]).T
    places = p.take(p.constant(order.reshape(-1)[sources.reshape(-1)]), chosen, 0)
    # ONNX counts places over the whole batch, not within a channel.
    planes = p.constant((np.arange(n * c) * math.prod(spatial)).reshape(n, c, 1))
    return p.reshape(p.max(values, (-1,)), (n, c, *positions)), p.reshape(
        p.add(places, planes), (n, c, *positions)
    )


def _lowest(dtype: np.dtype) -> float | int:
    """What never wins a maximum."""
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min)
    return -math.inf


@functools.lru_cache(maxsize=64)
def window_sources(
    spatial: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    dilations: tuple[int, ...],
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """For each place of each window its position in the flattened spatial axes.

    Also whether it lies outside, and how many windows there are along each axis.
    """
    positions = tuple(
        (n + a + b - window(k, d)) // s + 1
        for n, k, s, d, (a, b) in zip(spatial, kernel, strides, dilations, pads, strict=True)
    )
    rank = len(spatial)
    room_for((*positions, *kernel), np.dtype(np.int64))
    flat, outside = np.zeros((*positions, *kernel), np.int64), np.zeros((*positions, *kernel), bool)
    for i, (n, k, s, d, (before, _)) in enumerate(
        zip(spatial, kernel, strides, dilations, pads, strict=True)
    ):
        along = np.arange(positions[i])[:, None] * s - before + np.arange(k) * d
        # Laid out over [*positions, *kernel], where it varies along two axes.
        layout = [1] * (2 * rank)
        layout[i], layout[rank + i] = positions[i], kernel[i]
        along = along.reshape(layout)
        flat = flat * n + np.clip(along, 0, n - 1)
        outside |= (along < 0) | (along >= n)
    size = math.prod(positions)
    return flat.reshape(size, -1), outside.reshape(size, -1), positions


@operator("AveragePool")
def average_pool(
    p: Any,
    x: Any,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """Mean of each window.

    Padding counts in the divisor only where count_include_pad, what ceil_mode adds never.
    """
    kernel = tuple(kernel_shape)
    strides, dilations, asked, ends = _geometry(
        p, x, kernel, auto_pad, ceil_mode, dilations, pads, strides
    )
    y = _mean_with_padding(p, x, kernel, strides, ends, dilations)
    counted = [(0, 0)] * len(kernel)
    if count_include_pad:
        counted = asked
    counts = [
        _counts(n, k, s, d, pad, inside)
        for n, k, s, d, pad, inside in zip(
            p.shape(x)[2:], kernel, strides, dilations, ends, counted, strict=True
        )
    ]
    # The kernel divided by the size of the whole window: what is missing from it is put right.
    factor = functools.reduce(
        np.multiply.outer, [k / c for k, c in zip(kernel, counts, strict=True)]
    )
    if (factor == 1).all():
        return y
    return p.multiply(y, p.constant(factor.astype(p.dtype(x))))


def _counts(
    length: int,
    kernel: int,
    stride: int,
    dilation: int,
    pads: tuple[int, int],
    counted: tuple[int, int],
) -> np.ndarray:
    """How many places of each window along one axis lie within the axis and its counted padding."""
    windows = (length + sum(pads) - window(kernel, dilation)) // stride + 1
    room_for((windows, kernel), np.dtype(np.int64))
    places = np.arange(windows)[:, None] * stride - pads[0] + np.arange(kernel) * dilation
    return np.asarray(((places >= -counted[0]) & (places < length + counted[1])).sum(1))


def _mean_with_padding(
    p: Any,
    x: Any,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: Pads,
    dilations: tuple[int, ...],
) -> Any:
    """Mean of each window with its padding counted as zeros.

    Dilated windows are a convolution of each channel by itself.
    """
    if all(d == 1 for d in dilations):
        return p.average_pool(x, kernel, strides, pads)
    channels = p.shape(x)[1]
    # A mean is a convolution of each channel by itself with equal weights.
    weight = p.full((channels, 1, *kernel), 1 / math.prod(kernel), p.dtype(x))
    return p.convolution(x, weight, None, strides, pads, dilations, channels)


@operator("LpPool")
def lp_pool(
    p: Any,
    x: Any,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    p_: int = 2,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """The p-norm of each window."""
    kernel = tuple(kernel_shape)
    strides, dilations, _, ends = _geometry(
        p, x, kernel, auto_pad, ceil_mode, dilations, pads, strides
    )
    mean = _mean_with_padding(p, p.power(p.abs(x), p_), kernel, strides, ends, dilations)
    return p.power(p.multiply(mean, math.prod(kernel)), 1 / p_)


@operator("GlobalLpPool")
def global_lp_pool(p: Any, x: Any, *, p_: int = 2) -> Any:
    """The p-norm over all spatial axes, which stay with length 1."""
    return p.power(p.sum(p.power(p.abs(x), p_), tuple(range(2, len(p.shape(x)))), True), 1 / p_)


@operator("GlobalAveragePool")
def global_average_pool(p: Any, x: Any) -> Any:
    """Mean over all spatial axes, which stay with length 1."""
    return p.mean(x, tuple(range(2, len(p.shape(x)))), True)


@operator("GlobalMaxPool")
def global_max_pool(p: Any, x: Any) -> Any:
    """Largest over all spatial axes, which stay with length 1."""
    return p.max(x, tuple(range(2, len(p.shape(x)))), True)


@operator("MaxUnpool", host=("output_shape",))
def max_unpool(
    p: Any,
    x: Any,
    places: Any,
    output_shape: np.ndarray | None = None,
    *,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """MaxPool undone: each value at its place in the flattened result, 0 elsewhere."""
    rank, lengths = len(kernel_shape), p.shape(x)
    strides = strides or (1,) * rank
    pads = pads or (0,) * 2 * rank
    usual = [
        (n - 1) * strides[i] - pads[i] - pads[rank + i] + kernel_shape[i]
        for i, n in enumerate(lengths[2:])
    ]
    made = (*lengths[:2], *usual)
    # Places count over the whole result, with the batch and the channels.
    flat = p.scatter(
        p.full((math.prod(made),), 0, p.dtype(x)),
        p.reshape(places, (-1,)),
        p.reshape(x, (-1,)),
        "none",
    )
    y = p.reshape(flat, made)
    if output_shape is None:
        return y
    return p.pad(
        y,
        [0] * len(made),
        [int(w) - n for w, n in zip(output_shape, made, strict=True)],
        "constant",
        0,
    )
