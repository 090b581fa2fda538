"""JAX's primitives that move elements, in the order of axes that an array is in."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from allotrope.frameworks.jax.layout import channels_first, channels_last, twin
from allotrope.frameworks.layout import TO_FIRST, TO_LAST, in_order, reordered
from allotrope.frameworks.primitives import Array
from allotrope.frameworks.shaping import ShapingPrimitives


class JaxShaping(ShapingPrimitives):
    """The primitives of shaping over `jax.Array`."""

    def reshape(self, x: Array, shape: Sequence[int]) -> jax.Array:
        return jnp.reshape(x, tuple(shape))

    def transpose(self, x: Array, axes: Sequence[int]) -> jax.Array:
        axes = tuple(axes)
        if axes == TO_FIRST:
            return channels_first(x)
        if axes == TO_LAST:
            return channels_last(x)
        return jnp.transpose(x, axes)

    def broadcast_to(self, x: Array, shape: Sequence[int]) -> jax.Array:
        return jnp.broadcast_to(x, tuple(shape))

    def concatenate(self, arrays: Sequence[Array], axis: int) -> jax.Array:
        if all(twin(x) is None for x in arrays) or arrays[0].ndim != 4:
            return jnp.concatenate(arrays, axis)
        return channels_first(
            jnp.concatenate([channels_last(x) for x in arrays], in_order([axis])[0])
        )

    def slice(
        self, x: Array, starts: Sequence[int], stops: Sequence[int | None], steps: Sequence[int]
    ) -> jax.Array:
        places, y = [slice(*bounds) for bounds in zip(starts, stops, steps, strict=True)], twin(x)
        if y is None:
            return x[tuple(places)]
        return channels_first(y[tuple(reordered(places))])

    def pad(
        self, x: Array, before: Sequence[int], after: Sequence[int], mode: str, value: float | int
    ) -> jax.Array:
        widths = list(zip(before, after, strict=True))
        options = {}
        if mode == "constant":
            options = {"constant_values": value}
        y = twin(x)
        if y is None:
            return jnp.pad(x, widths, mode, **options)
        return channels_first(jnp.pad(y, reordered(widths), mode, **options))

    def take(self, x: Array, indices: Array, axis: int) -> jax.Array:
        # Of none, jnp.take may give another shape.
        if indices.size == 0:
            axis %= x.ndim
            return jnp.zeros((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)
        return jnp.take(x, indices, axis, mode="clip")

    def flip(self, x: Array, axes: Sequence[int]) -> jax.Array:
        return jnp.flip(x, tuple(axes))

    def scatter(self, x: Array, indices: Array, updates: Array, reduction: str) -> jax.Array:
        place = x.at[indices]
        put = {
            "none": place.set,
            "add": place.add,
            "mul": place.multiply,
            "max": place.max,
            "min": place.min,
        }[reduction]
        return put(updates)
