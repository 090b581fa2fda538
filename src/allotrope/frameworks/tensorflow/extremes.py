"""The largest and smallest of a tensor along axes, with a gradient that survives compiling.

TensorFlow finds the elements that share the gradient by comparing x with the maximum. XLA stores
the maximum but may compute x once more for that, rounded otherwise, and then there is none: its
gradient is lost. So the place of the largest is asked for too, which is always one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from allotrope.frameworks.tensorflow.importing import tf

Tensor = Any
Axes = Sequence[int] | None


def largest(x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """The largest along axes; equal ones share the gradient."""
    return _with_gradient(tf.reduce_max, tf.argmax, x, axes, keepdims)


def smallest(x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """The smallest along axes; equal ones share the gradient."""
    return _with_gradient(tf.reduce_min, tf.argmin, x, axes, keepdims)


def _with_gradient(
    reduce: Callable[..., Tensor],
    place: Callable[..., Tensor],
    x: Tensor,
    axes: Axes,
    keepdims: bool,
) -> Tensor:
    if not x.dtype.is_floating or not x.shape.is_fully_defined() or 0 in x.shape:
        return reduce(x, axes, keepdims)
    if axes is None:
        axes = range(x.shape.rank)
    places = [axis % x.shape.rank for axis in axes]
    # The shape of x with all reduced axes of length 1.
    alone = list(x.shape)
    for axis in places:
        alone[axis] = 1

    @tf.custom_gradient
    def run(x: Tensor) -> Any:
        y = reduce(x, places, keepdims)

        def gradient(g: Tensor) -> Tensor:
            sharing = tf.cast(
                tf.logical_or(tf.equal(x, tf.reshape(y, alone)), _first(place, x, places)), x.dtype
            )
            return sharing * (tf.reshape(g, alone) / tf.reduce_sum(sharing, places, True))

        return y, gradient

    return run(x)


def _first(place: Callable[..., Tensor], x: Tensor, places: Sequence[int]) -> Tensor:
    """Where x is the first of what `place` finds along the axes."""
    others = [axis for axis in range(x.shape.rank) if axis not in places]
    order = [*others, *places]
    turned = tf.transpose(x, order)
    rows = tf.reshape(turned, [*turned.shape[: len(others)], -1])
    first = tf.one_hot(
        place(rows, -1), rows.shape[-1], on_value=True, off_value=False, dtype=tf.bool
    )
    return tf.transpose(
        tf.reshape(first, turned.shape), [order.index(axis) for axis in range(len(order))]
    )
