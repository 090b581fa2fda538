"""Which numbers the integers of a quantized array stand for."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import ml_dtypes
import numpy as np


@dataclass(frozen=True)
class Grid:
    """q stands for (q - zero_point) * scale.

    There is one scale for all, one an index of `axis`, or one a block of `block` indices of it.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int = 1
    block: int = 0

    @property
    def single(self) -> bool:
        """Whether there is one scale for all."""
        return self.scale.size == 1

    @property
    def key(self) -> Hashable:
        """Equal for two grids that mean the same."""
        zero_point = np.broadcast_to(self.zero_point.astype(np.float64), self.scale.shape)
        numbers = self.scale.astype(np.float64).tobytes(), zero_point.tobytes()
        return numbers if self.single else (*numbers, self.scale.shape, self.axis, self.block)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape can be quantized so."""
        if self.single:
            return True
        if not -len(shape) <= self.axis < len(shape):
            return False
        if not self.block:
            return self.scale.shape == (shape[self.axis],)
        axis = self.axis % len(shape)
        blocks = -(-shape[axis] // self.block)
        return self.scale.shape == (*shape[:axis], blocks, *shape[axis + 1 :])

    def numbers(self, integers: np.ndarray) -> np.ndarray:
        """What an array that fits stands for, in the scale's type."""
        wide = np.float64 if self.scale.dtype.itemsize > 4 else np.float32
        scale, zero_point = (
            self._spread(part.astype(wide), integers.shape)
            for part in (self.scale, self.zero_point)
        )
        return np.asarray((integers.astype(wide) - zero_point) * scale).astype(self.scale.dtype)

    def _spread(self, part: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Scales or zero points in a shape that broadcasts with the array's."""
        if part.size == 1:
            return part.reshape(())
        axis = self.axis % len(shape)
        if self.block:
            return part.take(np.arange(shape[axis]) // self.block, axis)
        return part.reshape([-1 if i == axis else 1 for i in range(len(shape))])

    def bounds(self, dtype: np.dtype) -> tuple[float, float]:
        """The lowest and the highest number of a grid with one scale."""
        low, high = limits(dtype)
        scale, zero_point = (
            float(self.scale.reshape(())),
            float(self.zero_point.astype(np.float64).reshape(-1)[0]),
        )
        return (low - zero_point) * scale, (high - zero_point) * scale


def limits(dtype: np.dtype) -> tuple[float, float]:
    """The lowest and the highest number of a type that arrays are quantized to."""
    if is_integer(dtype):
        whole = np.iinfo(dtype) if dtype.kind in "iu" else ml_dtypes.iinfo(dtype)
        return float(whole.min), float(whole.max)
    floats = ml_dtypes.finfo(dtype)
    return float(floats.min), float(floats.max)


def is_integer(dtype: np.dtype) -> bool:
    """Whether the type holds whole numbers, those of 2 and 4 bits among them."""
    return dtype.kind in "iu" or dtype.name in ("int2", "int4", "uint2", "uint4")


def is_small(dtype: np.dtype) -> bool:
    """Whether weights and activations are quantized to the type; 32 bits are for biases."""
    return dtype.itemsize <= 2 and dtype.kind not in "fb" and dtype != ml_dtypes.bfloat16
