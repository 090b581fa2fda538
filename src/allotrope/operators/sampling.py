"""Arrays read between their places: GridSample and what is made of it.

All by gathers from flattened arrays.

A place on an axis becomes taps: the whole places around it, each with a weight.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.operators.convolution import resolve_pads
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator
from allotrope.operators.shaping import narrow

_INDEX = np.dtype(np.int64)
_A = -0.75
"""The parameter of cubic convolution, as in PyTorch and ONNX."""


class Tap(NamedTuple):
    """Whole places on one axis, int64 and within it; their weights (None means 1).

    Whether they count (None means always).
    """

    index: Any
    weight: Any
    inside: Any


@operator("GridSample")
def grid_sample(
    p: Any,
    x: Any,
    grid: Any,
    *,
    align_corners: int = 0,
    mode: str = "linear",
    padding_mode: str = "zeros",
) -> Any:
    """x [n, c, *spatial] at places grid [n, *out, axes], the last axis first: [n, c, *out].

    Places are -1..1 over each axis: these are the centres of the outermost places if align_corners,
    else their outer edges (Jaderberg et al. 2015).
    """
    spatial, rank = p.shape(x)[2:], len(p.shape(grid)) - 1
    taps = []
    for i, length in enumerate(spatial):
        # The grid names the last axis first: x before y.
        last = len(spatial) - 1 - i
        place = p.reshape(narrow(p, grid, rank, last, last + 1), p.shape(grid)[:-1])
        centre = (length - 1) / 2
        if align_corners:
            factor, edge = centre, (0.0, length - 1.0)
        else:
            factor, edge = length / 2, (-0.5, length - 0.5)
        place = p.add(p.multiply(place, factor), centre)
        taps.append(_taps(p, place, length, mode, padding_mode, edge))
    return gathered(p, x, taps)


def _taps(
    p: Any, place: Any, length: int, mode: str, padding: str, edge: tuple[float, float]
) -> list[Tap]:
    """The taps of places on one axis.

    Places beyond its edges are brought back first, as the padding says.

    Where cubic meets a border only the taps are, as in PyTorch and ONNX Runtime (ONNX's reference
    brings back the places too).
    """
    if mode == "nearest":
        place = p.round(place)
    if padding == "border" and mode != "cubic":
        outside = p.logical_or(p.less(place, edge[0]), p.greater(place, edge[1]))
        place = p.where(outside, p.clip(place, 0.0, length - 1.0), place)
    elif padding == "reflection":
        place = _reflected(p, place, edge)
    if mode == "nearest":
        return [_tap(p, place, None, length, padding, edge)]
    if mode not in ("linear", "cubic"):
        raise UnsupportedError(f"mode '{mode}' is not known; linear, nearest and cubic are.")
    if mode == "linear":
        around = linear_weights(p, place)
    else:
        around = _cubic_weights(p, place)
    return [_tap(p, whole, weight, length, padding, edge) for whole, weight in around]


def linear_weights(p: Any, place: Any) -> list[tuple[Any, Any]]:
    """The whole places around each place, with the weights of linear interpolation.

    They are three, though one weight is always 0: so the derivative at a whole place, which is
    where deformable convolutions begin to learn, is the mean of both sides.
    """
    nearest = p.round(place)
    past = p.subtract(place, nearest)
    away = p.abs(past)
    weights = (
        p.multiply(p.subtract(away, past), 0.5),
        p.add(p.negative(away), 1.0),
        p.multiply(p.add(away, past), 0.5),
    )
    return [
        (p.add(nearest, float(k)), weight) for k, weight in zip((-1, 0, 1), weights, strict=True)
    ]


def _cubic_weights(p: Any, place: Any) -> list[tuple[Any, Any]]:
    """The same of cubic convolution, four of them."""
    base = p.floor(place)
    near = p.subtract(place, base)
    far = p.add(p.negative(near), 1.0)
    weights = (
        _cubic_tail(p, p.add(near, 1.0)),
        _cubic(p, near),
        _cubic(p, far),
        _cubic_tail(p, p.add(far, 1.0)),
    )
    return [
        (p.add(base, float(k)), weight) for k, weight in zip((-1, 0, 1, 2), weights, strict=True)
    ]


def _tap(
    p: Any, whole: Any, weight: Any, length: int, padding: str, edge: tuple[float, float]
) -> Tap:
    inside = None
    if padding == "zeros":
        inside = p.logical_and(p.greater(whole, -0.5), p.less(whole, length - 0.5))
    if padding == "reflection":
        whole = _reflected(p, whole, edge)
    index = p.clip(p.cast(whole, _INDEX), 0, length - 1)
    return Tap(index, weight, inside)


def _reflected(p: Any, place: Any, edge: tuple[float, float]) -> Any:
    """Places mirrored at both edges until they lie between them."""
    low, span = edge[0], edge[1] - edge[0]
    if span <= 0:
        return p.full(p.shape(place), low, p.dtype(place))
    # Going and coming back is one period; its second half is mirrored.
    within = p.floored_remainder(p.subtract(place, low), 2 * span)
    return p.add(p.minimum(within, p.add(p.negative(within), 2 * span)), low)


def _cubic(p: Any, t: Any) -> Any:
    """Weight at distance 0..1 of cubic convolution (Keys 1981)."""
    return p.add(p.multiply(p.multiply(p.subtract(p.multiply(t, _A + 2), _A + 3), t), t), 1.0)


def _cubic_tail(p: Any, t: Any) -> Any:
    """Weight at distance 1..2."""
    return p.subtract(
        p.multiply(p.add(p.multiply(p.subtract(p.multiply(t, _A), 5 * _A), t), 8 * _A), t), 4 * _A
    )


def gathered(p: Any, x: Any, taps: Sequence[Sequence[Tap]]) -> Any:
    """The weighted sum of x [n, c, *spatial] at every combination of taps: [n, c, *out].

    Taps are [n, *out], one list an axis.
    """
    images = p.constant(
        np.arange(p.shape(x)[0]).reshape(-1, *[1] * (len(p.shape(taps[0][0].index)) - 1))
    )
    total = functools.reduce(p.add, each(p, x, images, taps))
    out = len(p.shape(total))
    return p.transpose(total, (0, out - 1, *range(1, out - 1)))


def each(p: Any, x: Any, images: Any, taps: Sequence[Sequence[Tap]]) -> Iterator[Any]:
    """x [n, c, *spatial] at each combination of taps, times its weight: [*out, c].

    `images` are the numbers of the images that they belong to; all of them broadcast to `out`.
    """
    n, c, *spatial = p.shape(x)
    rows = p.reshape(
        p.transpose(x, (0, *range(2, len(spatial) + 2), 1)), (n * math.prod(spatial), c)
    )
    # One gather for each corner around the places, of which there are 2 or 3 or 4 by axis.
    for chosen in itertools.product(*taps):
        place = p.multiply(images, math.prod(spatial))
        for i, tap in enumerate(chosen):
            place = p.add(place, p.multiply(tap.index, math.prod(spatial[i + 1 :])))
        value, column = p.take(rows, place, 0), (*p.shape(place), 1)
        inside = [tap.inside for tap in chosen if tap.inside is not None]
        if inside:
            value = p.where(p.reshape(functools.reduce(p.logical_and, inside), column), value, 0)
        weights = [p.cast(tap.weight, p.dtype(x)) for tap in chosen if tap.weight is not None]
        if weights:
            value = p.multiply(value, p.reshape(functools.reduce(p.multiply, weights), column))
        yield value


@operator("DeformConv")
def deformable_convolution(
    p: Any,
    x: Any,
    weight: Any,
    offset: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    offset_group: int = 1,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """Conv whose kernel places are moved by an offset and weighted by a mask (Zhu et al. 2019).

    offset [n, groups * kernel * axes, *out], mask [n, groups * kernel, *out].
    """
    (n, c, *spatial), (m, _, *kernel), out = p.shape(x), p.shape(weight), p.shape(offset)[2:]
    rank, block, positions = len(spatial), math.prod(kernel), math.prod(out)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    before = [pad[0] for pad in resolve_pads("NOTSET", pads, spatial, kernel, strides, dilations)]
    # Groups of channels become examples of their own, for each has its own places.
    moves = p.reshape(offset, (n * offset_group, block, rank, positions))
    taps = []
    for i, regular in enumerate(_regular_places(kernel, out, strides, dilations, before)):
        move = p.reshape(narrow(p, moves, 2, i, i + 1), (n * offset_group, block, positions))
        place = p.add(move, p.constant(regular.astype(p.dtype(offset))))
        taps.append(_taps(p, place, spatial[i], "linear", "zeros", (0.0, 0.0)))
    sampled = gathered(p, p.reshape(x, (n * offset_group, c // offset_group, *spatial)), taps)
    if mask is not None:
        sampled = p.multiply(sampled, p.reshape(mask, (n * offset_group, 1, block, positions)))
    columns = p.reshape(sampled, (n, group, c // group * block, positions))
    y = p.reshape(p.matmul(p.reshape(weight, (1, group, m // group, -1)), columns), (n, m, *out))
    if bias is None:
        return y
    return p.add(y, p.reshape(bias, (-1, *[1] * rank)))


def _regular_places(
    kernel: Sequence[int],
    out: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    before: Sequence[int],
) -> list[np.ndarray]:
    """Where each kernel place of an ordinary convolution reads: [block, positions] by axis."""
    room_for((len(kernel), *kernel, *out), np.dtype(np.int64))
    within = np.indices(kernel).reshape(len(kernel), -1, 1)
    corner = np.indices(out).reshape(len(out), 1, -1)
    return [
        within[i] * dilations[i] + corner[i] * strides[i] - before[i] for i in range(len(kernel))
    ]
