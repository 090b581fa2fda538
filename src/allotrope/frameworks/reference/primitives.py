"""The reference: NumPy in float64, outputs only.

It is the oracle of every framework, and computes host values for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from allotrope.frameworks.primitives import Primitives, highest, lowest
from allotrope.frameworks.reference.shaping import ReferenceShaping
from allotrope.operators.memory import room_for

Array = np.ndarray


def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with IEEE results (infinities, NaN) instead of warnings, and arrays always."""

    def run(self: Any, *arguments: Any, **keywords: Any) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(*arguments, **keywords))

    return run


class ReferencePrimitives(ReferenceShaping, Primitives):
    """Primitives over NumPy arrays, faithful to the dtype they are given.

    `Reference` gives them float64.
    """

    title = "NumPy"

    # --- arrays
    def constant(self, value: Array) -> Array:
        return np.asarray(value)

    def to_host(self, x: Array) -> Array:
        return x

    def differentiated(self, x: Array) -> bool:
        return False

    def shape(self, x: Array) -> tuple[int, ...]:
        return x.shape

    def dtype(self, x: Array) -> np.dtype:
        return x.dtype

    def cast(self, x: Array, dtype: np.dtype) -> Array:
        with np.errstate(all="ignore"):
            if dtype == np.bool_:
                return np.asarray(x != 0)
            return np.asarray(x.astype(dtype))

    def full(self, shape: Sequence[int], value: float | int | bool, dtype: np.dtype) -> Array:
        return np.full(tuple(shape), value, dtype)

    def arange(self, count: int, dtype: np.dtype) -> Array:
        return np.arange(count, dtype=dtype)

    # --- elementwise
    negative = quiet(np.negative)
    abs = quiet(np.abs)
    sign = quiet(np.sign)
    exp = quiet(np.exp)
    log = quiet(np.log)
    sqrt = quiet(np.sqrt)
    tanh = quiet(np.tanh)
    add = quiet(np.add)
    subtract = quiet(np.subtract)
    multiply = quiet(np.multiply)
    power = quiet(np.power)
    maximum = quiet(np.maximum)
    minimum = quiet(np.minimum)
    equal = quiet(np.equal)
    less = quiet(np.less)
    greater = quiet(np.greater)
    bitwise_xor = quiet(np.bitwise_xor)
    sin = quiet(np.sin)
    cos = quiet(np.cos)
    tan = quiet(np.tan)
    asin = quiet(np.arcsin)
    acos = quiet(np.arccos)
    atan = quiet(np.arctan)
    sinh = quiet(np.sinh)
    cosh = quiet(np.cosh)
    asinh = quiet(np.arcsinh)
    acosh = quiet(np.arccosh)
    atanh = quiet(np.arctanh)
    floor = quiet(np.floor)
    ceil = quiet(np.ceil)
    round = quiet(np.rint)
    stop_gradient = quiet(np.asarray)
    isnan = quiet(np.isnan)
    logical_not = quiet(np.logical_not)
    bitwise_not = quiet(np.invert)
    logical_and = quiet(np.logical_and)
    logical_or = quiet(np.logical_or)
    logical_xor = quiet(np.logical_xor)
    bitwise_and = quiet(np.bitwise_and)
    bitwise_or = quiet(np.bitwise_or)
    floored_remainder = quiet(np.mod)
    truncated_remainder = quiet(np.fmod)
    shift_left = quiet(np.left_shift)
    shift_right = quiet(np.right_shift)

    def bit_cast(self, x: Array, dtype: np.dtype) -> Array:
        if (
            x.dtype == np.float64 and dtype.itemsize == 4
        ):  # widened: the bits that are meant are float32's
            return np.asarray(x.astype(np.float32)).view(dtype)
        if dtype == np.float64 and x.dtype.itemsize == 4:
            return x.view(np.float32).astype(np.float64)
        return x.view(dtype)

    def sigmoid(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(1 / (1 + np.exp(-x)), x.dtype)

    def erf(self, x: Array) -> Array:
        from scipy.special import erf  # scikit-learn brings SciPy

        return np.asarray(erf(x), x.dtype)

    def relu(self, x: Array) -> Array:
        return np.maximum(x, 0)

    def gelu(self, x: Array, approximate: bool) -> Array:
        if approximate:
            return np.asarray(
                0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), x.dtype
            )
        return np.asarray(0.5 * x * (1 + self.erf(x / math.sqrt(2))), x.dtype)

    def softplus(self, x: Array) -> Array:
        return np.logaddexp(x, np.zeros((), x.dtype))

    def divide(self, x: Array, y: Any) -> Array:
        with np.errstate(all="ignore"):
            if not np.issubdtype(x.dtype, np.integer):
                return np.asarray(np.divide(x, y))
            y = np.asarray(y, x.dtype)
            return np.asarray(
                np.floor_divide(np.abs(x), np.abs(y)) * np.sign(x) * np.sign(y), x.dtype
            )

    def where(self, condition: Array, x: Any, y: Any) -> Array:
        # One of them may be a number, which has no dtype of its own.
        if isinstance(x, np.ndarray):
            dtype = x.dtype
        else:
            dtype = y.dtype
        return np.where(condition, np.asarray(x, dtype), np.asarray(y, dtype))

    # --- reductions
    def sum(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        return np.asarray(np.sum(x, axis=_axes(axes), keepdims=keepdims, dtype=x.dtype))

    def mean(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(np.mean(x, axis=_axes(axes), keepdims=keepdims), x.dtype)

    def max(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        return np.asarray(np.max(x, axis=_axes(axes), keepdims=keepdims, initial=lowest(x.dtype)))

    def min(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        return np.asarray(np.min(x, axis=_axes(axes), keepdims=keepdims, initial=highest(x.dtype)))

    def product(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        return np.asarray(np.prod(x, axis=_axes(axes), keepdims=keepdims, dtype=x.dtype))

    def log_sum_exp(
        self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> Array:
        largest = np.max(x, axis=_axes(axes), keepdims=True, initial=-np.inf)
        largest = np.where(np.isfinite(largest), largest, 0).astype(x.dtype)
        with np.errstate(all="ignore"):
            total = np.log(np.sum(np.exp(x - largest), axis=_axes(axes), keepdims=True)) + largest
        if not keepdims:
            total = np.squeeze(total, _axes(axes))
        return np.asarray(total, x.dtype)

    def argmax(self, x: Array, axis: int) -> Array:
        return np.asarray(np.argmax(x, axis=axis), np.int64)

    def cumulative_sum(self, x: Array, axis: int) -> Array:
        return np.cumsum(x, axis, dtype=x.dtype)

    def cumulative_product(self, x: Array, axis: int) -> Array:
        return np.cumprod(x, axis, dtype=x.dtype)

    def top_k(self, x: Array, k: int, axis: int, largest: bool) -> tuple[Array, Array]:
        if (
            largest
        ):  # a stable descending order: the reverse of the ascending order of the reversed axis
            order = (
                x.shape[axis]
                - 1
                - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
            )
        else:
            order = np.argsort(x, axis=axis, kind="stable")
        places = np.take(order, np.arange(k), axis)
        return np.take_along_axis(x, places, axis), places.astype(np.int64)

    def softmax(self, x: Array, axis: int) -> Array:
        with np.errstate(all="ignore"):
            powers = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
            return np.asarray(powers / np.sum(powers, axis=axis, keepdims=True), x.dtype)

    def log_softmax(self, x: Array, axis: int) -> Array:
        with np.errstate(all="ignore"):
            shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
            return np.asarray(
                shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)), x.dtype
            )

    # --- linear and neural
    matmul = quiet(np.matmul)

    def linear(self, x: Array, weight: Array, bias: Array) -> Array:
        return x @ weight + bias

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
        windows = _windows(np.pad(x, [(0, 0), (0, 0), *pads]), weight.shape[2:], strides, dilations)
        n, spatial = x.shape[0], windows.shape[2 : x.ndim]
        room_for((n, math.prod(spatial), x.shape[1], *weight.shape[2:]), x.dtype)
        block = math.prod(weight.shape[1:])  # said, for there may be no examples to tell it from
        columns = np.moveaxis(windows, 1, x.ndim - 1).reshape(n, math.prod(spatial), groups, block)
        kernels = weight.reshape(groups, weight.shape[0] // groups, block)
        y = np.moveaxis(
            np.einsum("nsgk,gmk->ngms", columns, kernels, optimize=True).reshape(
                n, weight.shape[0], *spatial
            ),
            1,
            1,
        )
        if bias is None:
            return y
        return y + bias.reshape(-1, *[1] * len(spatial))

    def max_pool(
        self,
        x: Array,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Array:
        padded = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=lowest(x.dtype))
        return np.asarray(
            _windows(padded, kernel, strides, [1] * len(kernel)).max(
                axis=tuple(range(-len(kernel), 0))
            )
        )

    def average_pool(
        self,
        x: Array,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Array:
        views = _windows(np.pad(x, [(0, 0), (0, 0), *pads]), kernel, strides, [1] * len(kernel))
        return np.asarray(views.mean(axis=tuple(range(-len(kernel), 0))), x.dtype)

    def convolution_transpose(
        self, x: Array, weight: Array, strides: Sequence[int], dilations: Sequence[int], groups: int
    ) -> Array:
        count, channels, *spatial = x.shape
        kernel = weight.shape[2:]
        spread = np.zeros(
            (count, channels, *((n - 1) * s + 1 for n, s in zip(spatial, strides, strict=True))),
            x.dtype,
        )
        spread[(slice(None), slice(None), *(slice(None, None, s) for s in strides))] = x
        turned = np.flip(weight, tuple(range(2, weight.ndim))).reshape(
            groups, channels // groups, weight.shape[1], *kernel
        )
        turned = np.swapaxes(turned, 1, 2).reshape(
            groups * weight.shape[1], channels // groups, *kernel
        )
        full = [(d * (k - 1), d * (k - 1)) for d, k in zip(dilations, kernel, strict=True)]
        return self.convolution(spread, turned, None, [1] * len(kernel), full, dilations, groups)

    def einsum(self, equation: str, *arrays: Array) -> Array:
        dtype = arrays[0].dtype
        # NumPy's einsum takes its own dtypes only.
        if dtype.kind == "V":
            arrays = tuple(array.astype(np.float32) for array in arrays)
        return np.asarray(np.einsum(equation, *arrays), dtype)

    def determinant(self, x: Array) -> Array:
        return np.asarray(np.linalg.det(x))

    def layer_normalize(
        self, x: Array, scale: Array, bias: Array | None, shape: Sequence[int], epsilon: float
    ) -> Array:
        axes = tuple(range(x.ndim - len(shape), x.ndim))
        wide = x.astype(np.float64)
        y = (
            (wide - wide.mean(axes, keepdims=True))
            / np.sqrt(wide.var(axes, keepdims=True) + epsilon)
        ).astype(x.dtype) * scale
        if bias is None:
            return y
        return y + bias

    def normalize(
        self, x: Array, scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float
    ) -> Array:
        by_channel = (-1, *[1] * (x.ndim - 2))
        factor = (scale / np.sqrt(variance + epsilon)).reshape(by_channel)
        return np.asarray(
            (x - mean.reshape(by_channel)) * factor + bias.reshape(by_channel), x.dtype
        )

    def batch_normalize(
        self, x: Array, scale: Array, bias: Array, epsilon: float
    ) -> tuple[Array, Array, Array]:
        axes = (0, *range(2, x.ndim))
        mean, variance = x.mean(axes), x.var(axes)
        return self.normalize(x, scale, bias, mean, variance, epsilon), mean, variance

    def fourier(self, x: Array, inverse: bool) -> Array:
        transform = np.fft.fft
        if inverse:
            transform = np.fft.ifft
        z = transform(x[..., 0] + 1j * x[..., 1], axis=-1)
        return np.stack((z.real, z.imag), -1).astype(x.dtype)


def _axes(axes: Sequence[int] | None) -> tuple[int, ...] | None:
    if axes is None:
        return None
    return tuple(axes)


def _windows(
    x: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Array:
    """Views of every window: x [n, c, *spatial] gives [n, c, *positions, *kernel]."""
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    views = sliding_window_view(x, spans, axis=tuple(range(2, x.ndim)))
    steps = [slice(None, None, s) for s in strides] + [slice(None, None, d) for d in dilations]
    return np.asarray(views[(slice(None), slice(None), *steps)])
