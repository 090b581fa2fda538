"""Keeping x between two numbers in TensorFlow: one kernel forward, one backward if there is one."""

from __future__ import annotations

from typing import Any

from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.layout import kept

Tensor = Any

relu6 = kept(tf.nn.relu6)
"""Not where gradients are asked for: its own is 0 at the bounds."""


@kept
def hard_swish(x: Tensor) -> Tensor:
    """x * clip(x + 3, 0, 6) / 6, whose slope at a bound is that beyond it, as relu6's is."""
    return x * (tf.nn.relu6(x + 3) * (1 / 6))


@kept
def between(x: Tensor, low: float, high: float) -> Tensor:
    """x kept between two numbers, with a gradient that has both bounds."""
    if x.dtype == tf.float32 and low in (0, -high) and low < high:
        return _with_gradient(x, float(low), float(high))
    return _clipped(x, low, high)


def _clipped(x: Tensor, low: float, high: float) -> Tensor:
    return tf.raw_ops.ClipByValue(
        t=x, clip_value_min=tf.constant(low, x.dtype), clip_value_max=tf.constant(high, x.dtype)
    )


def _with_gradient(x: Tensor, low: float, high: float) -> Tensor:
    """TensorFlow makes the gradient of ClipByValue of four kernels, as slow as a convolution."""

    @tf.custom_gradient
    def run(x: Tensor) -> Any:
        return _clipped(x, low, high), lambda gradient: _passed(gradient, x, low, high)

    return run(x)


def _passed(gradient: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """The gradient where low <= x <= high, else 0.

    This kernel moves bounds to whole steps of a grid. Of the smallest grid, which has two steps,
    bounds that begin or are centered at 0 are points already.
    """

    @tf.custom_gradient
    def run(gradient: Tensor) -> Any:
        options = {"min": low, "max": high, "num_bits": 2, "narrow_range": True}
        passed = tf.raw_ops.FakeQuantWithMinMaxArgsGradient(gradients=gradient, inputs=x, **options)
        return passed, lambda second: _passed(second, x, low, high)

    return run(gradient)
