"""The largest of an array along axes in JAX, with a gradient that survives compiling.

JAX finds the elements that share the gradient by comparing x with the maximum. XLA stores the
maximum but may compute x once more for that, rounded otherwise, and then there is none: its
gradient is lost. So the place of the largest is asked for too, which is always one.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

Axes = tuple[int, ...] | None


def smallest(x: jax.Array, axes: Axes, keepdims: bool) -> jax.Array:
    """The smallest along axes; equal ones share the gradient."""
    if _has_gradient(x):
        return -largest(-x, axes, keepdims)
    return jnp.min(x, axes, keepdims=keepdims)


def largest(x: jax.Array, axes: Axes, keepdims: bool) -> jax.Array:
    """The largest along axes; equal ones share the gradient."""
    if _has_gradient(x):
        return _largest(x, axes, keepdims)
    return jnp.max(x, axes, keepdims=keepdims)


def _has_gradient(x: jax.Array) -> bool:
    return bool(x.size) and jnp.issubdtype(x.dtype, jnp.floating)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _largest(x: jax.Array, axes: Axes, keepdims: bool) -> jax.Array:
    return jnp.max(x, axes, keepdims=keepdims)


@_largest.defjvp
def _tangent(
    axes: Axes, keepdims: bool, at: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    x, y = at[0], _largest(*at, axes, keepdims)
    sharing = (x == jnp.max(x, axes, keepdims=True)) | _first_largest(x, axes)
    count = jnp.sum(sharing, axes, keepdims=keepdims).astype(x.dtype)
    return y, jnp.sum(jnp.where(sharing, tangents[0], 0), axes, keepdims=keepdims) / count


def _first_largest(x: jax.Array, axes: Axes) -> jax.Array:
    """Where x is the first of the largest along the axes, or the first NaN."""
    if axes is None:
        axes = tuple(range(x.ndim))
    places = tuple(axis % x.ndim for axis in axes)
    others = tuple(axis for axis in range(x.ndim) if axis not in places)
    turned = jnp.transpose(x, others + places)
    rows = turned.reshape(*turned.shape[: len(others)], -1)
    first = jax.nn.one_hot(jnp.argmax(rows, -1), rows.shape[-1], dtype=bool).reshape(turned.shape)
    return jnp.transpose(first, tuple((others + places).index(axis) for axis in range(x.ndim)))
