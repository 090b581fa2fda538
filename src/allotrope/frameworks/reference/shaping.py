"""NumPy's primitives that move elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.frameworks.shaping import ShapingPrimitives

Array = np.ndarray

_REDUCTIONS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


class ReferenceShaping(ShapingPrimitives):
    """The primitives of shaping over `numpy.ndarray`."""

    def reshape(self, x: Array, shape: Sequence[int]) -> Array:
        return x.reshape(tuple(shape))

    def transpose(self, x: Array, axes: Sequence[int]) -> Array:
        return np.transpose(x, tuple(axes))

    def broadcast_to(self, x: Array, shape: Sequence[int]) -> Array:
        return np.broadcast_to(x, tuple(shape))

    def concatenate(self, arrays: Sequence[Array], axis: int) -> Array:
        return np.concatenate(arrays, axis)

    def slice(
        self, x: Array, starts: Sequence[int], stops: Sequence[int | None], steps: Sequence[int]
    ) -> Array:
        return x[tuple(slice(*bounds) for bounds in zip(starts, stops, steps, strict=True))]

    def pad(
        self, x: Array, before: Sequence[int], after: Sequence[int], mode: str, value: float | int
    ) -> Array:
        widths = list(zip(before, after, strict=True))
        if mode == "constant":
            return np.pad(x, widths, constant_values=value)
        return np.pad(x, widths, mode=mode)  # type: ignore[call-overload]

    def take(self, x: Array, indices: Array, axis: int) -> Array:
        return np.asarray(np.take(x, indices, axis))

    def flip(self, x: Array, axes: Sequence[int]) -> Array:
        return np.flip(x, tuple(axes))

    def scatter(self, x: Array, indices: Array, updates: Array, reduction: str) -> Array:
        y = x.copy()
        if reduction == "none":
            y[indices] = updates
        else:
            _REDUCTIONS[reduction].at(y, indices, updates)
        return y
