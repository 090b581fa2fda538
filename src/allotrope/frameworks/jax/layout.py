"""Layout: what was computed with the channels last is remembered so, and what comes next goes on.

An array that `channels_first` makes is a transpose, and its twin is what it is a transpose of.
Functions that can work on either order take the twin and give back an array with a twin of its own.
While JAX traces, a transpose that nobody reads is dropped, so a run of convolutions, normalizations
and activations has transposes at its two ends only. Left to XLA, each layer has its own.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from allotrope.frameworks.kernels import STORED
from allotrope.frameworks.layout import TO_FIRST, TO_LAST

Array = Any
Function = Callable[..., jax.Array]


class Twins:
    """For each array the same values in another order, as long as the array lives.

    JAX's arrays take no attributes of ours.
    """

    def __init__(self) -> None:
        self._found: dict[int, tuple[weakref.ref[Array], Array]] = {}

    def of(self, x: Array) -> Array | None:
        """The twin of this very array."""
        reference, twin = self._found.get(id(x), (None, None))
        if reference is not None and reference() is x:
            return twin
        return None

    def remember(self, x: Array, twin: Array) -> Array:
        """x, whose twin is known from now on.

        Without a trace there is nothing to save: x is computed already.
        """
        if isinstance(x, jax.core.Tracer):
            self._found[id(x)] = weakref.ref(x, functools.partial(self._forget, id(x))), twin
        return x

    def _forget(self, key: int, _: Any) -> None:
        self._found.pop(key, None)


_LAST = Twins()
twin = _LAST.of


def channels_last(x: Array) -> Array:
    """x [n, c, h, w] as [n, h, w, c]."""
    y = twin(x)
    if y is None:
        return jnp.transpose(x, TO_LAST)
    return y


def channels_first(y: Array) -> Array:
    """y [n, h, w, c] as [n, c, h, w], remembering y."""
    return _LAST.remember(jnp.transpose(y, TO_FIRST), y)


def kernel(weight: Array) -> jax.Array:
    """A convolution's weight [m, c / groups, kh, kw] as [kh, kw, c / groups, m]."""
    return jnp.transpose(weight, STORED)


def kept(function: Function) -> Function:
    """An elementwise function of arrays and numbers that works in the order of its operands."""

    def run(*operands: Any) -> jax.Array:
        if all(twin(x) is None for x in operands) or any(np.ndim(x) > 4 for x in operands):
            return function(*operands)
        return channels_first(function(*map(_aligned, operands)))

    return run


def _aligned(x: Any) -> Any:
    """x in an order that broadcasts with [n, h, w, c]."""
    if np.ndim(x) == 0:
        return x
    if x.ndim < 4:
        x = x.reshape((1,) * (4 - x.ndim) + x.shape)
    return channels_last(x)
