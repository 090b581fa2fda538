"""Convolution, pooling and normalization in JAX.

Images go with their channels last, which XLA's kernels want; other ranks as they are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from allotrope.frameworks.jax.layout import channels_first, channels_last, kept, kernel, twin
from allotrope.frameworks.jax.pooling import MOST_PLACES, PoolingWindow, largest, places, reduced

Array = Any
Pads = Sequence[tuple[int, int]]
Narrowed = Callable[..., jax.Array]
"""Calls its first argument with the others, which may be in a narrower dtype for it."""


def convolve(
    narrowed: Narrowed, x: Array, weight: Array, bias: Array | None, options: dict[str, Any]
) -> jax.Array:
    """Cross-correlation of x [n, c, *spatial] with weight [m, c / groups, *kernel].

    The options are JAX's own.
    """
    if x.ndim != 4:
        y = narrowed(lambda x, weight: lax.conv_general_dilated(x, weight, **options), x, weight)
        if bias is None:
            return y
        return y + _by_channel(bias, x.ndim)
    if _depthwise(x, options):
        y = _by_taps(x, weight, options)
    else:
        y = _images(narrowed, x, weight, options)
    if bias is not None:
        y = y + bias
    return channels_first(y)


def _images(narrowed: Narrowed, x: Array, weight: Array, options: dict[str, Any]) -> jax.Array:
    options = {**options, "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    return narrowed(
        lambda x, weight: lax.conv_general_dilated(x, weight, **options),
        channels_last(x),
        kernel(weight),
    )


def _depthwise(x: Array, options: dict[str, Any]) -> bool:
    """Whether each channel goes by itself, on a CPU, where XLA has no kernel for that."""
    alone = options["feature_group_count"] == x.shape[1] > 1 and "lhs_dilation" not in options
    return (
        alone
        and jax.default_backend() == "cpu"
        and all(n >= 0 for pair in options["padding"] for n in pair)
    )


def _by_taps(x: Array, weight: Array, options: dict[str, Any]) -> jax.Array:
    """Each channel by itself, to [n, h, w, m]: a sum over the places of the kernel.

    Its terms are the image, moved to each place, times the weight there.
    2 to 5 times as fast as a convolution in groups is on CPUs, forwards and backwards
    (`benchmarks/jax_kernels.py`).
    """
    y, filters = channels_last(x), kernel(weight)[..., 0, :]
    y = jnp.pad(
        jnp.repeat(y, filters.shape[-1] // y.shape[-1], -1), [(0, 0), *options["padding"], (0, 0)]
    )
    rows, columns = (
        places(length, taps, stride, dilation)
        for length, taps, stride, dilation in zip(
            y.shape[1:3],
            filters.shape,
            options["window_strides"],
            options["rhs_dilation"],
            strict=False,
        )
    )
    parts = [
        y[:, row, column] * filters[i, j]
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    return functools.reduce(jnp.add, parts)


def convolve_transposed(
    narrowed: Narrowed,
    x: Array,
    weight: Array,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> jax.Array:
    """The whole transposed convolution of x [n, c, *spatial] with weight [c, m, *kernel]."""
    channels, sides = x.shape[1], weight.shape[2:]
    turned = jnp.flip(weight, tuple(range(2, weight.ndim))).reshape(
        groups, channels // groups, -1, *sides
    )
    turned = jnp.swapaxes(turned, 1, 2).reshape(-1, channels // groups, *sides)
    full = [(d * (k - 1), d * (k - 1)) for d, k in zip(dilations, sides, strict=True)]
    options = {
        "window_strides": (1,) * len(sides),
        "padding": full,
        "lhs_dilation": strides,
        "rhs_dilation": dilations,
    }
    return convolve(narrowed, x, turned, None, {**options, "feature_group_count": groups})


def max_pool(
    x: Array, lowest: float, kernel: Sequence[int], strides: Sequence[int], pads: Pads
) -> jax.Array:
    """Largest of each window of x [n, c, *spatial]; `lowest` never wins."""
    window = PoolingWindow(tuple(kernel), tuple(strides), tuple(pads), lowest)
    kernel_of_ours = (
        jnp.issubdtype(x.dtype, jnp.floating)
        and math.prod(kernel) <= MOST_PLACES
        and jax.default_backend() == "cpu"
    )
    if kernel_of_ours:
        return _over_windows(largest, x, window)
    return _over_windows(functools.partial(reduced, lax.max), x, window)


def average_pool(x: Array, kernel: Sequence[int], strides: Sequence[int], pads: Pads) -> jax.Array:
    """Mean of each window of x [n, c, *spatial], padding counted as zeros."""
    window = PoolingWindow(tuple(kernel), tuple(strides), tuple(pads), 0.0)
    return kept(jnp.divide)(
        _over_windows(functools.partial(reduced, lax.add), x, window), math.prod(kernel)
    )


def _over_windows(
    function: Callable[[Array, int, PoolingWindow], jax.Array], x: Array, window: PoolingWindow
) -> jax.Array:
    y = twin(x)
    if y is None:
        return function(x, 2, window)
    return channels_first(function(y, 1, window))


def normalize(
    x: Array, scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float
) -> jax.Array:
    """x [n, c, *spatial] by a mean and a variance [c] that are given.

    (x - mean) * factor + bias, written as (x - k) * factor + bias - (mean - k) * factor with the
    constant k = mean: so the slope of the mean is a sum of [c], not one more over all of x.
    """
    factor, k = scale * lax.rsqrt(variance + epsilon), lax.stop_gradient(mean)
    shift, y = bias - (mean - k) * factor, twin(x)
    if y is not None:
        return channels_first(((y - k) * factor + shift).astype(x.dtype))
    k, factor, shift = (_by_channel(values, x.ndim) for values in (k, factor, shift))
    return ((x - k) * factor + shift).astype(x.dtype)


def statistics(x: Array) -> tuple[jax.Array, jax.Array]:
    """Mean and population variance [c] of x [n, c, *spatial].

    The variance is E[(x - k)^2] - (mean - k)^2 with the constant k = mean, for the slopes as in
    `normalize`: the second term is 0, and so is its slope, but not the slope of that.
    """
    y = twin(x)
    if y is None:
        x, channel = x, 1
    else:
        x, channel = y, 3
    mean = _mean_but(x, channel)
    k = lax.stop_gradient(mean)
    variance = _mean_but(jnp.square(x - k), channel) - jnp.square(mean - k)
    return mean.reshape(-1), variance.reshape(-1)


def _mean_but(x: Array, channel: int) -> jax.Array:
    """The mean over all axes but one, which stay with length 1.

    Axis by axis, because XLA adds one number after the other on CPUs.
    """
    for axis in reversed(range(x.ndim)):
        if axis != channel:
            x = jnp.mean(x, axis, keepdims=True)
    return x


def _by_channel(values: Array, rank: int) -> jax.Array:
    return values.reshape(-1, *[1] * (rank - 2))
