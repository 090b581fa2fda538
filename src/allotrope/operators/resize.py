"""Resize: along each axis a choice of positions (nearest) or a small matrix (linear, cubic).

Both are known from shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.operators.axes import axes_of, one_axis
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator


@operator("Resize", host=("roi", "scales", "sizes"))
def resize(
    p: Any,
    x: Any,
    roi: np.ndarray | None = None,
    scales: np.ndarray | None = None,
    sizes: np.ndarray | None = None,
    *,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Any:
    """x with axes longer or shorter, by nearest, linear or cubic interpolation."""
    shape = p.shape(x)
    chosen = list(range(len(shape)))
    if axes is not None:
        chosen = axes_of(axes, len(shape))
    lengths, factors = _lengths([shape[a] for a in chosen], scales, sizes, keep_aspect_ratio_policy)
    cropped = coordinate_transformation_mode == "tf_crop_and_resize"
    if cropped and roi is None:
        raise UnsupportedError("tf_crop_and_resize needs a region of interest.")
    for i, axis in enumerate(chosen):
        region = 0.0, 1.0
        if cropped and roi is not None:
            region = float(roi[i]), float(roi[len(chosen) + i])
        places = _coordinates(
            coordinate_transformation_mode, shape[axis], lengths[i], factors[i], region
        )
        # Most axes, such as batch and channels, stay as they are.
        if lengths[i] == shape[axis] and np.array_equal(places, np.arange(shape[axis])):
            continue
        if mode == "nearest":
            nearest = np.clip(_rounded(places, nearest_mode), 0, shape[axis] - 1)
            x = p.take(x, p.constant(nearest.astype(np.int64)), axis)
        else:
            # Against aliasing, the kernel covers all old places that a new one stands for.
            stretch = 1.0
            if antialias and factors[i] < 1:
                stretch = factors[i]
            weights = interpolation(
                places, shape[axis], mode, cubic_coeff_a, stretch, bool(exclude_outside)
            )
            x = _along(p, x, weights, axis)
        if cropped:
            outside = (places < 0) | (places > shape[axis] - 1)
            beyond = outside.reshape(one_axis(axis, len(shape)))
            if outside.any():
                x = p.where(p.constant(beyond), p.full((), extrapolation_value, p.dtype(x)), x)
    return x


def _lengths(
    old: list[int], scales: np.ndarray | None, sizes: np.ndarray | None, policy: str
) -> tuple[list[int], list[float]]:
    """The new lengths, and by how much coordinates are scaled."""
    if sizes is None or len(sizes) == 0:
        if scales is None or len(scales) != len(old):
            count = "none"
            if scales is not None:
                count = str(len(scales))
            raise ModelError(
                f"{len(old)} scales or sizes are needed, one for each axis; there are {count}."
            )
        lengths = [int(np.floor(n * s)) for n, s in zip(old, scales, strict=True)]
        return lengths, [float(s) for s in scales]
    ratios = [int(s) / n for s, n in zip(sizes, old, strict=True)]
    if policy == "stretch":
        return [int(s) for s in sizes], ratios
    ratio = max(ratios)
    if policy == "not_larger":
        ratio = min(ratios)
    return [int(np.floor(n * ratio + 0.5)) for n in old], [ratio] * len(old)


def _coordinates(
    mode: str, old: int, new: int, scale: float, region: tuple[float, float]
) -> np.ndarray:
    """Where each new place lies on the old axis."""
    room_for((new,), np.dtype(np.float64))
    x = np.arange(new, dtype=np.float64)
    if mode == "align_corners":
        if scale * old != 1:
            return x * (old - 1) / (scale * old - 1)
        return np.zeros(new)
    if mode == "asymmetric":
        return x / scale
    if mode == "tf_crop_and_resize":
        start, end = region
        if new == 1:
            return np.full(1, 0.5 * (start + end) * (old - 1))
        return start * (old - 1) + x * (end - start) * (old - 1) / (new - 1)
    if mode == "pytorch_half_pixel" and new == 1:
        return np.full(1, 0.0)
    if mode == "half_pixel_symmetric":
        centre = old / 2
        return centre * (1 - new / (scale * old)) + (x + 0.5) / scale - 0.5
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (x + 0.5) / scale - 0.5
    raise UnsupportedError(f"Resize knows no coordinate transformation '{mode}'.")


def nearest_places(mode: str, rounding: str, old: int, new: int, scale: float) -> list[int]:
    """Which place of the old axis each new place takes, by nearest interpolation."""
    places = _rounded(_coordinates(mode, old, new, scale, (0.0, 1.0)), rounding)
    return [int(place) for place in np.clip(places, 0, old - 1)]


def _rounded(places: np.ndarray, mode: str) -> np.ndarray:
    if mode == "floor":
        return np.floor(places)
    if mode == "ceil":
        return np.ceil(places)
    if mode == "round_prefer_floor":
        return np.ceil(places - 0.5)
    return np.floor(places + 0.5)


def interpolation(
    places: np.ndarray, length: int, mode: str, a: float, stretch: float, exclude_outside: bool
) -> np.ndarray:
    """The matrix [new, old] whose rows mix the old places.

    `stretch` below 1 widens the kernel against aliasing.

    Cubic convolution as in Keys 1981, with its parameter a.
    """
    reach = 2
    if mode == "linear":
        reach = 1
    radius = int(np.ceil(reach / stretch)) + 1
    room_for((len(places), 2 * radius + 1), np.dtype(np.float64))
    # The old places around each new one, as many as the kernel reaches to either side.
    taps = np.floor(places)[:, None] + np.arange(-radius, radius + 1)
    distance = np.abs(places[:, None] - taps) * stretch
    if mode == "linear":
        weights = np.maximum(0, 1 - distance)
    else:
        weights = _cubic(distance, a)
    outside = (taps < 0) | (taps > length - 1)
    if exclude_outside:
        weights = np.where(outside, 0, weights)
    weights = weights / weights.sum(1, keepdims=True)
    # Taps beyond an end count for the outermost place, where several may add up.
    room_for((len(places), length), np.dtype(np.float64))
    matrix = np.zeros((len(places), length))
    rows = np.broadcast_to(np.arange(len(places))[:, None], taps.shape)
    np.add.at(matrix, (rows, np.clip(taps, 0, length - 1).astype(np.int64)), weights)
    return matrix


def _cubic(t: np.ndarray, a: float) -> np.ndarray:
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def _along(p: Any, x: Any, weights: np.ndarray, axis: int) -> Any:
    """x mixed along an axis by the rows of a matrix [new, old]."""
    rank = len(p.shape(x))
    # The axis goes to the end, where a product of matrices mixes it.
    order = [i for i in range(rank) if i != axis] + [axis]
    dtype, wide = p.dtype(x), x
    if np.issubdtype(dtype, np.integer):
        wide = p.cast(x, np.dtype(np.float64))
    matrix = p.constant(weights.T.astype(p.dtype(wide)))
    y = p.transpose(
        p.matmul(p.transpose(wide, order), matrix), [order.index(i) for i in range(rank)]
    )
    if p.dtype(y) == dtype:
        return y
    return p.cast(p.round(y), dtype)
