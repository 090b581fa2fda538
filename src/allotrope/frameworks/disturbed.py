"""How far rounding may take the sums of a kernel: NumPy's primitives, with disturbed sums.

NumPy adds in pairs, so its own error says nothing of a kernel that adds one number after the other.
Of n terms t so added, with s their sum, the error is about ε √n √(s² + Σt²), ε being the dtype's
epsilon: the roundings of partial sums, taken as random, of sums that drift as well as of those that
wander (after Higham & Mary 2019, "A new approach to probabilistic rounding error analysis"). It
grows on its way through the network as any error does. The worst case, n ε Σ|t|, is met by no
kernel in use and would hide wrong answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import ml_dtypes
import numpy as np

from allotrope.frameworks.reference.primitives import Array, ReferencePrimitives

FLOATS = "fV"
"""The kinds of dtypes that round: NumPy's floats, and ml_dtypes'."""


class DisturbedPrimitives(ReferencePrimitives):
    """Primitives over NumPy arrays whose sums are off, at random, by what adding in a row does."""

    def __init__(self, seed: int) -> None:
        """`seed` decides which are off to which side."""
        self._random = np.random.default_rng(seed)

    def _off(self, y: Array, count: int, squares: Array) -> Array:
        """`y`, a sum of `count` terms of which `squares` are summed, disturbed."""
        if y.dtype.kind not in FLOATS or not y.size:
            return y
        unit = float(ml_dtypes.finfo(y.dtype).eps)
        wide = y.astype(np.float64)
        with np.errstate(all="ignore"):
            size = unit * math.sqrt(count) * np.sqrt(wide**2 + squares)
            off = wide + self._random.choice((-1.0, 1.0), y.shape) * size
        return np.where(np.isfinite(off), off, wide).astype(y.dtype)

    def _squares(self, x: Array, axes: Sequence[int] | None, keepdims: bool) -> Array:
        with np.errstate(all="ignore"):
            return np.sum(np.square(x, dtype=np.float64), axis=_axes(axes), keepdims=keepdims)

    # --- reductions
    def sum(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        y = super().sum(x, axes, keepdims)
        if x.dtype.kind not in FLOATS or _whole(x):
            return y
        return self._off(y, _count(x, axes), self._squares(x, axes, keepdims))

    def mean(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        y, count = super().mean(x, axes, keepdims), _count(x, axes)
        if not count:
            return y
        return self._off(y, count, self._squares(x, axes, keepdims) / count**2)

    def log_sum_exp(
        self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> Array:
        """The error of the sum is relative; that of its logarithm absolute."""
        y, count = super().log_sum_exp(x, axes, keepdims), _count(x, axes)
        return self._off(y, count, np.ones(y.shape))

    def cumulative_sum(self, x: Array, axis: int) -> Array:
        y = super().cumulative_sum(x, axis)
        if x.dtype.kind not in FLOATS or _whole(x):
            return y
        return self._off(y, x.shape[axis], np.cumsum(np.square(x, dtype=np.float64), axis))

    def softmax(self, x: Array, axis: int) -> Array:
        y = super().softmax(x, axis)
        return self._off(y, x.shape[axis], np.zeros(y.shape))

    def log_softmax(self, x: Array, axis: int) -> Array:
        y = super().log_softmax(x, axis)
        return self._off(y, x.shape[axis], np.ones(y.shape))

    # --- linear and neural
    def matmul(self, x: Array, y: Array) -> Array:
        z = super().matmul(x, y)
        if z.dtype.kind not in FLOATS or (_whole(x) and _whole(y)):
            return z
        squares = np.matmul(np.square(x, dtype=np.float64), np.square(y, dtype=np.float64))
        return self._off(z, x.shape[-1], squares)

    def linear(self, x: Array, weight: Array, bias: Array) -> Array:
        return np.asarray(self.matmul(x, weight) + bias)

    def convolution(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
        dilations: Sequence[int],
        groups: int,
    ) -> Array:
        how = (strides, pads, dilations, groups)
        y = super().convolution(x, weight, None, *how)
        if y.dtype.kind in FLOATS:
            squares = super().convolution(np.square(x), np.square(weight), None, *how)
            y = self._off(y, math.prod(weight.shape[1:]), squares.astype(np.float64))
        if bias is None:
            return y
        return y + bias.reshape(-1, *[1] * (x.ndim - 2))

    def average_pool(
        self,
        x: Array,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Array:
        y, count = super().average_pool(x, kernel, strides, pads), math.prod(kernel)
        squares = super().average_pool(np.square(x), kernel, strides, pads)
        return self._off(y, count, squares.astype(np.float64) / count)

    def einsum(self, equation: str, *arrays: Array) -> Array:
        y = super().einsum(equation, *arrays)
        if y.dtype.kind not in FLOATS:
            return y
        squares = super().einsum(equation, *[np.square(a, dtype=np.float64) for a in arrays])
        return self._off(y, _summed(equation, arrays), squares)

    def layer_normalize(
        self,
        x: Array,
        scale: Array,
        bias: Array | None,
        shape: Sequence[int],
        epsilon: float,
    ) -> Array:
        axes = tuple(range(x.ndim - len(shape), x.ndim))
        mean, variance = self._moments(x, axes, keepdims=True)
        wide = (x.astype(np.float64) - mean) / np.sqrt(variance.astype(np.float64) + epsilon)
        y = wide.astype(x.dtype) * scale
        if bias is None:
            return y
        return y + bias

    def batch_normalize(
        self, x: Array, scale: Array, bias: Array, epsilon: float
    ) -> tuple[Array, Array, Array]:
        mean, variance = self._moments(x, (0, *range(2, x.ndim)), keepdims=False)
        return self.normalize(x, scale, bias, mean, variance, epsilon), mean, variance

    def _moments(self, x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, Array]:
        """Mean and variance, disturbed."""
        mean = self.mean(x, axes, keepdims)
        exact = x.astype(np.float64).var(axes, keepdims=keepdims)
        # The squares that are added have one sign, so their sum drifts: Σt² is at most s².
        variance = self._off(exact.astype(x.dtype), _count(x, axes), np.zeros(exact.shape))
        return mean, np.maximum(variance, 0).astype(x.dtype)


def _whole(x: Array) -> bool:
    """Whether all are whole numbers, which are exact in any order: masks are counted so."""
    return bool((np.rint(x) == x).all())


def _axes(axes: Sequence[int] | None) -> tuple[int, ...] | None:
    if axes is None:
        return None
    return tuple(axes)


def _count(x: Array, axes: Sequence[int] | None) -> int:
    if axes is None:
        return x.size
    return math.prod(x.shape[axis] for axis in axes)


def _summed(equation: str, arrays: Sequence[Array]) -> int:
    """Over how many terms an Einstein sum goes."""
    inputs, _, output = equation.replace(" ", "").replace("...", "").partition("->")
    lengths: dict[str, int] = {}
    for term, array in zip(inputs.split(","), arrays, strict=True):
        lengths |= dict(zip(term[::-1], array.shape[::-1], strict=False))
    # Without an arrow, letters that occur once are those of the result.
    remaining = {letter for letter in inputs if inputs.count(letter) == 1}
    if "->" in equation:
        remaining = set(output)
    return math.prod(n for letter, n in lengths.items() if letter not in remaining)
