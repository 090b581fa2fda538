"""How far one array is from another, and in what way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MASK = 1e8
"""Larger numbers, such as the masks of attention, stand for infinity: they say nothing of the scale
of an array."""

TELLING = 1e-6
"""A larger error may be that of a whole array, such as of its sign."""


@dataclass(frozen=True)
class Difference:
    """The largest error, relative to the array's scale, infinite where numbers cannot tell it.

    And what a person should know of it.
    """

    error: float
    text: str


def scale_of(array: np.ndarray) -> float:
    """The scale of an array: its largest absolute value below `MASK`, 0 if it has none."""
    if array.dtype.kind not in "fcV" or not array.size:
        return 0.0
    sizes = np.abs(_wide(array))
    return float(np.max(sizes, where=sizes < MASK, initial=0.0))


def difference(actual: np.ndarray, expected: np.ndarray, floor: float = 0.0) -> Difference:
    """The largest |found - expected| / max(scale of expected, floor, |expected|).

    So an element is held to the scale of its whole array, and one that is a mask to itself.
    Infinite where the dtype, the shape, an integer, a boolean or the place of an infinity or NaN
    differs. `floor` is a scale below which nothing but rounding is expected.
    """
    if actual.dtype != expected.dtype:
        return Difference(math.inf, f"dtype {actual.dtype} instead of {expected.dtype}")
    if actual.shape != expected.shape:
        return Difference(math.inf, f"shape {list(actual.shape)} instead of {list(expected.shape)}")
    if actual.dtype.kind not in "fcV":
        # Integers and booleans are not rounded: they are right or wrong.
        unequal = actual != expected
        if unequal.any():
            return _unlike(actual, expected, unequal, "elements differ")
        return Difference(0.0, "")
    a, b = _wide(actual), _wide(expected)
    # An infinity or NaN must stand where one is expected, of the same sign; it has no error.
    special = ~(np.isfinite(a) & np.isfinite(b))
    if special.any():
        unlike = special & ~((a == b) | (np.isnan(a) & np.isnan(b)))
        if unlike.any():
            return _unlike(a, b, unlike, "elements are not finite alike")
    return _largest(a, b, special, max(scale_of(b), floor))


def _largest(
    actual: np.ndarray, expected: np.ndarray, special: np.ndarray, scale: float
) -> Difference:
    errors = _errors(actual, expected, special, scale)
    if not errors.size or not errors.any():
        return Difference(0.0, "")
    place = np.unravel_index(int(errors.argmax()), errors.shape)
    error = float(errors[place])
    likeness = ""
    # What it says of a whole array shows as an error; most arrays are right and need no text.
    if error > TELLING:
        likeness = _likeness(actual, expected)
    values = f"{actual[place]:.9g} instead of {expected[place]:.9g} at {_written(place)}{likeness}"
    return Difference(
        error, f"largest error {error:.1e} of the array's scale {scale:.2g}: {values}"
    )


def _errors(
    actual: np.ndarray, expected: np.ndarray, special: np.ndarray, scale: float
) -> np.ndarray:
    """Of each element; what is special has none."""
    # Nearly all arrays are of ordinary numbers, and take half as many passes.
    if special.any():
        actual, expected = (np.where(special, 0, array) for array in (actual, expected))
    absolute = np.abs(actual - expected)
    if scale > 0:
        return np.asarray(absolute / np.maximum(np.abs(expected), scale))
    with np.errstate(invalid="ignore", divide="ignore"):
        # 0 / 0 is no error: where nothing differs a scale of 0 is divided by as well.
        return np.where(absolute == 0, 0.0, absolute / np.abs(expected))


def _unlike(actual: np.ndarray, expected: np.ndarray, unlike: np.ndarray, what: str) -> Difference:
    place = np.unravel_index(int(unlike.argmax()), unlike.shape)
    values = f"{actual[place]} instead of {expected[place]} at {_written(place)}"
    return Difference(math.inf, f"{int(unlike.sum())} of {unlike.size} {what}, the first: {values}")


def _likeness(actual: np.ndarray, expected: np.ndarray) -> str:
    """What the whole array looks like, where it is a simple thing."""
    if (
        not np.isfinite(actual).all()
        or not np.isfinite(expected).all()
        or np.iscomplexobj(actual)
        or not expected.any()
    ):
        return ""
    if not actual.any():
        return "; all are 0"
    factor = float((actual * expected).sum() / np.square(expected).sum())
    close = np.abs(actual - factor * expected).max() <= 1e-6 * abs(factor) * np.abs(expected).max()
    if close and abs(factor - 1) > 1e-5:
        if math.isclose(factor, -1, rel_tol=1e-5):
            return "; all have the other sign"
        return f"; all are {factor:.6g} times as large"
    return ""


def _wide(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "c":
        return array
    return array.astype(np.float64)


def _written(place: tuple[np.intp, ...]) -> str:
    return str([int(index) for index in place])
