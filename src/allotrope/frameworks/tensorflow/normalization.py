"""TensorFlow's primitives that normalize: by the batch, by its statistics, by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allotrope.frameworks.neural import NeuralPrimitives
from allotrope.frameworks.tensorflow import neural as neural
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.layout import channels_first, channels_last, twin

Tensor = Any


class TensorFlowNormalization(NeuralPrimitives):
    """The primitives of normalization over `tf.Tensor`.

    `inferring` says that none needs a gradient.
    """

    inferring: bool

    def layer_normalize(
        self, x: Tensor, scale: Tensor, bias: Tensor | None, shape: Sequence[int], epsilon: float
    ) -> Tensor:
        axes = list(range(-len(shape), 0))
        wide = x
        if x.dtype.size < 4:
            wide = tf.cast(x, tf.float32)
        mean, variance = tf.nn.moments(wide, axes, keepdims=True)
        y = tf.cast((wide - mean) * tf.math.rsqrt(variance + epsilon), x.dtype) * tf.cast(
            scale, x.dtype
        )
        if bias is None:
            return y
        return y + tf.cast(bias, x.dtype)

    def normalize(
        self, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: float
    ) -> Tensor:
        y = twin(x)
        if y is not None and y.dtype in neural.FUSED and self.inferring:
            return channels_first(
                neural.normalize_by_state(y, scale, bias, mean, variance, epsilon)
            )
        factor = scale * tf.math.rsqrt(variance + epsilon)
        shift = bias - mean * factor
        factor, shift = tf.cast(factor, x.dtype), tf.cast(shift, x.dtype)
        if y is not None:
            return channels_first(y * factor + shift)
        by_channel = (-1, *[1] * (x.shape.rank - 2))
        return x * tf.reshape(factor, by_channel) + tf.reshape(shift, by_channel)

    def batch_normalize(
        self, x: Tensor, scale: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        if x.dtype in neural.FUSED and x.shape.rank in (2, 4):
            # The kernel takes images alone: rows are images of one pixel.
            if x.shape.rank == 2:
                y = x[:, None, None, :]
                y, mean, variance = self._normalize_images(y, scale, bias, epsilon)
                return y[:, 0, 0, :], mean, variance
            y, mean, variance = self._normalize_images(channels_last(x), scale, bias, epsilon)
            return channels_first(y), mean, variance
        # Statistics are in the precision of the scale: bfloat16's own would be three digits.
        wide = tf.cast(x, scale.dtype)
        mean, variance = tf.nn.moments(wide, [0, *range(2, x.shape.rank)])
        return (
            self.normalize(x, scale, bias, mean, variance, epsilon),
            tf.stop_gradient(mean),
            tf.stop_gradient(variance),
        )

    def _normalize_images(
        self, y: Tensor, scale: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """y [n, h, w, c] by whichever way is faster; mean and variance are without gradient."""
        if neural.fills_vectors(y):
            return neural.normalize_by_batch(y, scale, bias, epsilon)
        return neural.normalize_by_sums(y, scale, bias, epsilon)
