"""Softmax and its logarithm in JAX, right for values of any size.

XLA may join the multiplication that made x with the subtraction of the largest into one
instruction, which rounds once. Then the largest value itself is not 0 from the largest, but up to
half a unit of its last place, which from 2^30 on is more than float32's exponential can hold: NaN.
A comparison is not joined, so here the largest is 0 because it is said to be. XLA drops barriers
and roundings between the two.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def softmax(x: jax.Array, axis: int) -> jax.Array:
    """exp(x) / sum(exp(x)) along an axis."""
    exponential = jnp.exp(_below_largest(x, axis))
    return exponential / jnp.sum(exponential, axis, keepdims=True)


@softmax.defjvp
def _softmax_tangent(
    axis: int, at: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    y, moving = softmax(*at, axis), tangents[0]
    return y, y * (moving - jnp.sum(y * moving, axis, keepdims=True))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def log_softmax(x: jax.Array, axis: int) -> jax.Array:
    """Logarithm of softmax."""
    below = _below_largest(x, axis)
    return below - jnp.log(jnp.sum(jnp.exp(below), axis, keepdims=True))


@log_softmax.defjvp
def _log_softmax_tangent(
    axis: int, at: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    y, moving = log_softmax(*at, axis), tangents[0]
    return y, moving - jnp.sum(jnp.exp(y) * moving, axis, keepdims=True)


def _below_largest(x: jax.Array, axis: int) -> jax.Array:
    """x minus its largest along the axis; NaN where that is infinite, as in every framework."""
    largest = jnp.max(x, axis, keepdims=True, initial=-jnp.inf)
    return jnp.where((x == largest) & jnp.isfinite(largest), 0, x - largest)
