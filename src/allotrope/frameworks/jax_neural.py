"""Convolution, pooling and normalization in JAX. Images go with their channels last, which XLA's kernels want; other ranks as they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from allotrope.frameworks.jax_layout import channels_first, channels_last, kernel, twin

Array = Any
Pads = Sequence[tuple[int, int]]
Narrowed = Callable[..., jax.Array]
"""Calls its first argument with the others, which may be in a narrower dtype for it."""
_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def convolve(narrowed: Narrowed, x: Array, weight: Array, bias: Array | None, options: dict[str, Any]) -> jax.Array:
    """Cross-correlation of x [n, c, *spatial] with weight [m, c / groups, *kernel]; the options are JAX's own."""
    if x.ndim != 4:
        y = narrowed(lambda x, weight: lax.conv_general_dilated(x, weight, **options), x, weight)
        return y if bias is None else y + _by_channel(bias, x.ndim)
    options = {**options, "dimension_numbers": _DIMENSIONS}
    y = narrowed(lambda x, weight: lax.conv_general_dilated(x, weight, **options), channels_last(x), kernel(weight))
    return channels_first(y if bias is None else y + bias)


def convolve_transposed(
    narrowed: Narrowed, x: Array, weight: Array, strides: Sequence[int], dilations: Sequence[int], groups: int
) -> jax.Array:
    """The whole transposed convolution of x [n, c, *spatial] with weight [c, m / groups, *kernel]."""
    channels, sides = x.shape[1], weight.shape[2:]
    turned = jnp.flip(weight, tuple(range(2, weight.ndim))).reshape(groups, channels // groups, -1, *sides)
    turned = jnp.swapaxes(turned, 1, 2).reshape(-1, channels // groups, *sides)
    full = [(d * (k - 1), d * (k - 1)) for d, k in zip(dilations, sides, strict=True)]
    options = {"window_strides": (1,) * len(sides), "padding": full, "lhs_dilation": strides, "rhs_dilation": dilations}
    return convolve(narrowed, x, turned, None, {**options, "feature_group_count": groups})


def max_pool(x: Array, lowest: float, kernel: Sequence[int], strides: Sequence[int], pads: Pads) -> jax.Array:
    """Largest of each window of x [n, c, *spatial]; `lowest` never wins."""
    y, low = twin(x), np.asarray(lowest, x.dtype)
    if y is None:
        return lax.reduce_window(x, low, lax.max, (1, 1, *kernel), (1, 1, *strides), [(0, 0), (0, 0), *pads])
    return channels_first(lax.reduce_window(y, low, lax.max, (1, *kernel, 1), (1, *strides, 1), [(0, 0), *pads, (0, 0)]))


def average_pool(x: Array, kernel: Sequence[int], strides: Sequence[int], pads: Pads) -> jax.Array:
    """Mean of each window of x [n, c, *spatial], padding counted as zeros.

    The channels stay first, though that is slower: last, XLA of jaxlib 0.10.2 joins the sum with a convolution before it and on CPUs
    then reads what nobody wrote (DenseNet-121 with constant weights).
    """
    zero = np.zeros((), x.dtype)
    return lax.reduce_window(x, zero, lax.add, (1, 1, *kernel), (1, 1, *strides), [(0, 0), (0, 0), *pads]) / math.prod(kernel)


def normalize(x: Array, scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float) -> jax.Array:
    """x [n, c, *spatial] by a mean and a variance [c] that are given."""
    factor, y = scale * lax.rsqrt(variance + epsilon), twin(x)
    if y is not None:
        return channels_first(((y - mean) * factor + bias).astype(x.dtype))
    mean, factor, bias = (_by_channel(values, x.ndim) for values in (mean, factor, bias))
    return ((x - mean) * factor + bias).astype(x.dtype)


def statistics(x: Array) -> tuple[jax.Array, jax.Array]:
    """Mean and population variance [c] of x [n, c, *spatial]."""
    y = twin(x)
    x, axes = (x, (0, *range(2, x.ndim))) if y is None else (y, (0, 1, 2))
    return jnp.mean(x, axes), jnp.var(x, axes)


def _by_channel(values: Array, rank: int) -> jax.Array:
    return values.reshape(-1, *[1] * (rank - 2))
