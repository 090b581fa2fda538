"""Resize: along each axis a choice of positions (nearest) or a small matrix of weights (linear, cubic), known from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.operators.axes import axes_of
from allotrope.operators.memory import room_for
from allotrope.operators.table import operator


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
    chosen = axes_of(axes if axes is not None else range(len(shape)), len(shape))
    lengths, factors = _lengths([shape[a] for a in chosen], scales, sizes, keep_aspect_ratio_policy)
    cropped = coordinate_transformation_mode == "tf_crop_and_resize"
    if cropped and roi is None:
        raise UnsupportedError("tf_crop_and_resize needs a region of interest.")
    for i, axis in enumerate(chosen):
        region = (float(roi[i]), float(roi[len(chosen) + i])) if cropped and roi is not None else (0.0, 1.0)
        places = _coordinates(coordinate_transformation_mode, shape[axis], lengths[i], factors[i], region)
        if lengths[i] == shape[axis] and np.array_equal(places, np.arange(shape[axis])):
            continue
        if mode == "nearest":
            x = p.take(x, p.constant(np.clip(_rounded(places, nearest_mode), 0, shape[axis] - 1).astype(np.int64)), axis)
        else:
            stretch = factors[i] if antialias and factors[i] < 1 else 1.0
            weights = interpolation(places, shape[axis], mode, cubic_coeff_a, stretch, bool(exclude_outside))
            x = _along(p, x, weights, axis)
        if cropped:
            outside = (places < 0) | (places > shape[axis] - 1)
            keep = outside.reshape([-1 if j == axis else 1 for j in range(len(shape))])
            x = p.where(p.constant(keep), p.full((), extrapolation_value, p.dtype(x)), x) if outside.any() else x
    return x


def _lengths(old: list[int], scales: np.ndarray | None, sizes: np.ndarray | None, policy: str) -> tuple[list[int], list[float]]:
    """The new lengths, and by how much coordinates are scaled."""
    if sizes is None or len(sizes) == 0:
        if scales is None or len(scales) != len(old):
            given = "none" if scales is None else len(scales)
            raise ModelError(f"{len(old)} scales or sizes are needed, one for each axis; there are {given}.")
        return [int(np.floor(n * s)) for n, s in zip(old, scales, strict=True)], [float(s) for s in scales]
    ratios = [int(s) / n for s, n in zip(sizes, old, strict=True)]
    if policy == "stretch":
        return [int(s) for s in sizes], ratios
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [int(np.floor(n * ratio + 0.5)) for n in old], [ratio] * len(old)


def _coordinates(mode: str, old: int, new: int, scale: float, region: tuple[float, float]) -> np.ndarray:
    """Where each new place lies on the old axis."""
    room_for((new,), np.dtype(np.float64))
    x = np.arange(new, dtype=np.float64)
    if mode == "align_corners":
        return x * (old - 1) / (scale * old - 1) if scale * old != 1 else np.zeros(new)
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
    return np.ceil(places - 0.5) if mode == "round_prefer_floor" else np.floor(places + 0.5)


def interpolation(places: np.ndarray, length: int, mode: str, a: float, stretch: float, exclude_outside: bool) -> np.ndarray:
    """The matrix [new, old] whose rows mix the old places; `stretch` below 1 widens the kernel against aliasing.

    Cubic convolution as in Keys 1981, with its parameter a.
    """
    reach = 1 if mode == "linear" else 2
    radius = int(np.ceil(reach / stretch)) + 1
    room_for((len(places), 2 * radius + 1), np.dtype(np.float64))
    taps = np.floor(places)[:, None] + np.arange(-radius, radius + 1)
    distance = np.abs(places[:, None] - taps) * stretch
    weights = np.maximum(0, 1 - distance) if mode == "linear" else _cubic(distance, a)
    outside = (taps < 0) | (taps > length - 1)
    if exclude_outside:
        weights = np.where(outside, 0, weights)
    weights = weights / weights.sum(1, keepdims=True)
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
    order = [i for i in range(rank) if i != axis] + [axis]
    dtype = p.dtype(x)
    wide = p.cast(x, np.dtype(np.float64)) if np.issubdtype(dtype, np.integer) else x
    matrix = p.constant(weights.T.astype(p.dtype(wide)))
    y = p.transpose(p.matmul(p.transpose(wide, order), matrix), [order.index(i) for i in range(rank)])
    return y if p.dtype(y) == dtype else p.cast(p.round(y), dtype)
