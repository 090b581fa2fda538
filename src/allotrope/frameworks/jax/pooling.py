"""Windows over images in JAX, and the gradient of their maximum.

XLA's own gradient of a maximum scatters one number at a time on CPUs. Here each place of the window
gives its share to all windows at once, by slices; the first of equal elements has it all, as in the
other frameworks' kernels.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = Any
MOST_PLACES = 25
"""Of larger windows XLA's own gradient is taken: their places are too many to be computed one after
the other.

Forwards and backwards ours is 3.1 times as fast for windows of 2x2 by 2, 2.2 for 3x3 by 2, 2.4
for 3x3 by 1 and 3.9 for 5x5 by 1 (`benchmarks/jax_kernels.py`)."""


@dataclass(frozen=True)
class PoolingWindow:
    """Sides, strides and padding (before, after) by spatial axis, and the number that pads."""

    sides: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    padding: float


def reduced(
    function: Callable[..., jax.Array], x: Array, first: int, window: PoolingWindow
) -> jax.Array:
    """The function over each window of x, whose spatial axes begin at `first`.

    The padding's number is its identity.
    """
    sides, strides, pads = (
        _for_all_axes(x, first, values, alone)
        for values, alone in ((window.sides, 1), (window.strides, 1), (window.pads, (0, 0)))
    )
    return lax.reduce_window(x, np.asarray(window.padding, x.dtype), function, sides, strides, pads)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def largest(x: Array, first: int, window: PoolingWindow) -> jax.Array:
    """The largest of each window of x, whose spatial axes begin at `first`."""
    return reduced(lax.max, x, first, window)


@largest.defjvp
def _largest_tangent(
    first: int, window: PoolingWindow, at: tuple[Array], moving: tuple[Array]
) -> tuple[jax.Array, jax.Array]:
    winner = _place_of_largest(_elements(at[0], first, window))
    steps = enumerate(_elements(moving[0], first, window, 0.0))
    tangent = functools.reduce(
        jnp.add, (jnp.where(winner == place, step, 0) for place, step in steps)
    )
    return largest(*at, first, window), tangent


def _place_of_largest(elements: Iterator[jax.Array]) -> jax.Array:
    """The number of the first of the largest, or of the first NaN.

    Elements are compared with each other, not with the maximum: XLA computes them once more, and
    then they may be rounded otherwise.
    """
    best = next(elements)
    winner = jnp.zeros(best.shape, jnp.int8)
    for place, x in enumerate(elements, 1):
        better = (x > best) | (jnp.isnan(x) & ~jnp.isnan(best))
        best, winner = jnp.where(better, x, best), jnp.where(better, jnp.int8(place), winner)
    return winner


def _elements(
    x: Array, first: int, window: PoolingWindow, padding: float | None = None
) -> Iterator[jax.Array]:
    """For each place of the window, in order, what all windows have there."""
    if padding is None:
        padding = window.padding
    value = np.asarray(padding, x.dtype)
    x = lax.pad(
        x, value, _for_all_axes(x, first, tuple((*pair, 0) for pair in window.pads), (0, 0, 0))
    )
    lengths = x.shape[first : first + len(window.sides)]
    along = [
        places(*axis)
        for axis in zip(lengths, window.sides, window.strides, (1,) * len(lengths), strict=True)
    ]
    for chosen in itertools.product(*along):
        yield x[(slice(None),) * first + chosen]


def _for_all_axes(x: Array, first: int, values: tuple[Any, ...], alone: Any) -> tuple[Any, ...]:
    """Values of the spatial axes, with `alone` for the others."""
    return (alone,) * first + values + (alone,) * (x.ndim - first - len(values))


def places(length: int, taps: int, stride: int, dilation: int) -> list[slice]:
    """What each place of a window meets along an axis."""
    count = max(0, (length - (taps - 1) * dilation - 1) // stride + 1)
    if not count:
        return [slice(0, 0, stride)] * taps
    reach = (count - 1) * stride + 1
    return [slice(i * dilation, i * dilation + reach, stride) for i in range(taps)]
