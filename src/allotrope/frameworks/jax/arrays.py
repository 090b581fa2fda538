"""Arrays to and from JAX, and how its functions become primitives: dtypes and layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import lax

from allotrope.errors import UnsupportedError
from allotrope.frameworks.jax.layout import kept
from allotrope.frameworks.primitives import Array, check_axes

DTYPES = frozenset(
    np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128", ml_dtypes.bfloat16,
    )
)  # fmt: skip


class UnknownValueError(UnsupportedError):
    """A value steers the computation, and is not known while JAX traces."""


def available(dtype: np.dtype) -> np.dtype:
    """The dtype as JAX has it: 64-bit ones are 32-bit where the user has not turned them on.

    Raises: UnsupportedError.
    """
    if np.dtype(dtype) not in DTYPES:
        raise UnsupportedError(f"JAX has no dtype {dtype} here.")
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype))


def to_array(value: np.ndarray) -> jax.Array:
    """A JAX array with this value."""
    value = np.asarray(value)
    return jnp.asarray(value, dtype=available(value.dtype))


def to_numpy(x: Array) -> np.ndarray:
    """The value as a NumPy array of its own. Raises: UnsupportedError for too many axes."""
    check_axes(np.ndim(x))
    return np.array(x)


def unary(function: Callable[..., jax.Array]) -> Any:
    """An elementwise function of one array, in whichever order that is."""
    return staticmethod(kept(function))


def binary(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """A function of two arrays whose second may be a number.

    NumPy's scalars, which JAX gives a dtype, become Python's.
    """
    either = kept(function)

    def run(self: Any, x: Array, y: Any) -> jax.Array:
        if isinstance(y, np.generic):
            y = y.item()
        return either(x, y)

    return run


def divide(x: Array, y: Any) -> jax.Array:
    """x / y, whole numbers toward zero."""
    if not jnp.issubdtype(x.dtype, jnp.integer):
        # Alone, XLA makes of x / number the product with the number's inverse, rounded twice.
        if isinstance(y, jax.Array) and y.ndim == 0:
            y = jnp.broadcast_to(y, x.shape)
        return jnp.divide(x, y)
    x, y = jnp.broadcast_arrays(x, jnp.asarray(y, x.dtype))
    return lax.div(x, y)


def magnitude(x: Array) -> jax.Array:
    """|x|, with slope 0 at 0."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.abs(x)
    # JAX's own has gradient 1 at 0.
    return x * lax.stop_gradient(jnp.sign(x))


def maximum(x: Array, y: Any) -> jax.Array:
    """The larger of x and y; of a number that x equals, x has all of the gradient."""
    if isinstance(y, jax.Array):
        return jnp.maximum(x, y)
    return jnp.where(x < y, jnp.asarray(y, x.dtype), x)


def minimum(x: Array, y: Any) -> jax.Array:
    """The smaller of x and y, likewise."""
    if isinstance(y, jax.Array):
        return jnp.minimum(x, y)
    return jnp.where(x > y, jnp.asarray(y, x.dtype), x)
