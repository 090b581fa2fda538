"""TensorFlow's primitives that move elements, in the order of axes that a tensor is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.frameworks.layout import TO_FIRST, in_order, reordered
from allotrope.frameworks.shaping import ShapingPrimitives
from allotrope.frameworks.tensorflow import channel_groups, matrix_products
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.layout import channels_first, channels_last, twin

Tensor = Any

_SCATTERS = {
    "none": tf.tensor_scatter_nd_update,
    "add": tf.tensor_scatter_nd_add,
    "max": tf.tensor_scatter_nd_max,
    "min": tf.tensor_scatter_nd_min,
}


class TensorFlowShaping(ShapingPrimitives):
    """The primitives of shaping over `tf.Tensor`."""

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return channel_groups.reshaped(x, matrix_products.reshape(x, shape))

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        if tuple(axes) == (1, 0):
            return matrix_products.turned(x)
        y = tf.transpose(x, tuple(axes))
        if tuple(axes) == TO_FIRST:
            y.channels_last = x
        return channel_groups.exchanged(x, y, axes)

    def broadcast_to(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        if len(shape) <= 6:
            return tf.broadcast_to(x, tuple(shape))
        # These are too many axes for the kernel.
        x = tf.reshape(x, [1] * (len(shape) - x.shape.rank) + x.shape.as_list())
        for axis, length in enumerate(shape):
            if x.shape[axis] != length:
                x = tf.gather(x, np.zeros(length, np.int64), axis=axis)
        return x

    def concatenate(self, arrays: Sequence[Tensor], axis: int) -> Tensor:
        if any(twin(x) is not None for x in arrays):
            return channels_first(
                tf.concat([channels_last(x) for x in arrays], in_order([axis])[0])
            )
        return tf.concat(list(arrays), axis)

    def slice(
        self, x: Tensor, starts: Sequence[int], stops: Sequence[int | None], steps: Sequence[int]
    ) -> Tensor:
        bounds = [slice(*bound) for bound in zip(starts, stops, steps, strict=True)]
        y = twin(x)
        if y is None:
            return x[tuple(bounds)]
        return channels_first(y[tuple(reordered(bounds))])

    def split(self, x: Tensor, lengths: Sequence[int], axis: int) -> tuple[Tensor, ...]:
        # The slope of slices is a sum of arrays as large as x, of a split it is one.
        y = twin(x)
        if y is None:
            return tuple(tf.split(x, list(lengths), axis))
        pieces = tf.split(y, list(lengths), in_order([axis])[0])
        return tuple(map(channels_first, pieces))

    def pad(
        self, x: Tensor, before: Sequence[int], after: Sequence[int], mode: str, value: float | int
    ) -> Tensor:
        if mode != "constant":
            return self._gathered_pad(x, before, after, mode)
        widths, y = list(zip(before, after, strict=True)), twin(x)
        if y is None:
            return tf.pad(x, widths, constant_values=tf.constant(value, x.dtype))
        return channels_first(
            tf.pad(y, reordered(widths), constant_values=tf.constant(value, x.dtype))
        )

    def _gathered_pad(
        self, x: Tensor, before: Sequence[int], after: Sequence[int], mode: str
    ) -> Tensor:
        for axis, (low, high) in enumerate(zip(before, after, strict=True)):
            if low or high:
                places = np.arange(x.shape[axis])
                places = np.pad(places, (low, high), mode=mode)  # type: ignore[call-overload]
                x = tf.gather(x, places, axis=axis)
        return x

    def take(self, x: Tensor, indices: Tensor, axis: int) -> Tensor:
        if indices.dtype not in (tf.int32, tf.int64):
            indices = tf.cast(indices, tf.int64)
        return tf.gather(x, indices, axis=axis)

    def flip(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        return tf.reverse(x, list(axes))

    def scatter(self, x: Tensor, indices: Tensor, updates: Tensor, reduction: str) -> Tensor:
        if reduction == "mul":
            return tf.multiply(x, tf.math.unsorted_segment_prod(updates, indices, x.shape[0]))
        return _SCATTERS[reduction](x, tf.expand_dims(indices, -1), updates)
