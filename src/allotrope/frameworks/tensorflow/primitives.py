"""TensorFlow's primitives, eager and inside `tf.function`, over tensors of static shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.frameworks.primitives import Primitives, lowest
from allotrope.frameworks.tensorflow import clip as clip
from allotrope.frameworks.tensorflow import matrix_products
from allotrope.frameworks.tensorflow import neural as neural
from allotrope.frameworks.tensorflow.arrays import (
    HALVES,
    binary,
    bitwise,
    cast_to,
    extreme,
    matched,
    reduction,
    tensor_dtype,
    to_numpy,
    to_tensor,
    unary,
)
from allotrope.frameworks.tensorflow.extremes import largest, smallest
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.layout import channels_first, channels_last, kept
from allotrope.frameworks.tensorflow.normalization import TensorFlowNormalization
from allotrope.frameworks.tensorflow.shaping import TensorFlowShaping

Tensor = Any


def _divide(x: Tensor, y: Tensor) -> Tensor:
    if x.dtype.is_integer:
        return tf.truncatediv(x, y)
    return tf.divide(x, y)


def _truncated_remainder(x: Tensor, y: Tensor) -> Tensor:
    if x.dtype.is_integer:
        return tf.raw_ops.TruncateMod(x=x, y=y)
    if x.dtype in HALVES:
        return tf.cast(
            _truncated_remainder(tf.cast(x, tf.float32), tf.cast(y, tf.float32)), x.dtype
        )
    shape = tf.broadcast_static_shape(x.shape, y.shape)
    return _float_remainder(tf.broadcast_to(x, shape), tf.broadcast_to(y, shape))


@tf.custom_gradient
def _float_remainder(x: Tensor, y: Tensor) -> Any:
    """C's fmod of two arrays of one shape, for which TensorFlow has no gradient."""
    z = tf.raw_ops.TruncateMod(x=x, y=y)
    return z, lambda gradient: (gradient, -gradient * tf.round((x - z) / y))


def _moved(x: Tensor, source: int, target: int) -> Tensor:
    axes = list(range(x.shape.rank))
    axes.insert(target % x.shape.rank, axes.pop(source))
    return tf.transpose(x, axes)


def _gelu(x: Tensor, approximate: bool) -> Tensor:
    """What tf.nn.gelu computes, with constants that are as exact as x.

    Its own are float32, 1e-9 off in float64.
    """
    if approximate:
        return 0.5 * x * (1 + tf.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + tf.math.erf(x / math.sqrt(2)))


_tanh = kept(tf.tanh)
# TensorFlow 2.21 joins a convolution, a normalization and tanh, or Mish, which is made of it, into
# a node that has no kernel; it does not look behind a check of the shape, which computes nothing.
_tanh_apart = kept(lambda x: tf.tanh(tf.ensure_shape(x, x.shape)))


class TensorFlowPrimitives(TensorFlowShaping, TensorFlowNormalization, Primitives):
    """Primitives over `tf.Tensor`.

    Activations [n, c, h, w] remember the order their kernels made (see `tensorflow_layout`).
    """

    title = "TensorFlow"
    failures = (tf.errors.OpError,)
    lacking = (NotImplementedError, tf.errors.NotFoundError, tf.errors.UnimplementedError)

    def __init__(self, differentiating: bool = False) -> None:
        """`differentiating` says that gradients are asked for by all floats.

        Constants are kept while there is no trace.
        """
        self.differentiating = differentiating
        self.inferring = False
        self._constants: dict[int, tuple[np.ndarray, Tensor]] = {}

    @contextmanager
    def without_gradients(self) -> Iterator[None]:
        """Within it nobody asks for gradients: kernels that do not know all of them are used."""
        self.inferring = True
        try:
            yield
        finally:
            self.inferring = False

    # --- arrays
    def constant(self, value: np.ndarray) -> Tensor:
        value = np.asarray(value)
        if value.flags.writeable or not tf.executing_eagerly():
            return to_tensor(value)
        if id(value) not in self._constants:
            self._constants[id(value)] = (value, to_tensor(value))
        return self._constants[id(value)][1]

    def to_host(self, x: Tensor) -> np.ndarray:
        known = tf.get_static_value(x)
        if known is None:
            return to_numpy(x)
        return np.asarray(known)

    def differentiated(self, x: Tensor) -> bool:
        return self.differentiating and x.dtype.is_floating

    def shape(self, x: Tensor) -> tuple[int, ...]:
        if not x.shape.is_fully_defined():
            raise UnsupportedError(
                f"a shape is not known while tracing: {x.shape}; call the network with static "
                "shapes."
            )
        return tuple(x.shape.as_list())

    def dtype(self, x: Tensor) -> np.dtype:
        return np.dtype(x.dtype.as_numpy_dtype)

    def cast(self, x: Tensor, dtype: np.dtype) -> Tensor:
        return cast_to(x, tensor_dtype(dtype))

    def full(self, shape: Sequence[int], value: float | int | bool, dtype: np.dtype) -> Tensor:
        return tf.fill(tuple(shape), tf.constant(value, tensor_dtype(dtype)))

    def arange(self, count: int, dtype: np.dtype) -> Tensor:
        return tf.cast(tf.range(count, dtype=tf.int64), tensor_dtype(dtype))

    # --- elementwise, one operand
    negative = unary(tf.negative)
    abs = unary(tf.abs)
    sign = unary(tf.sign)
    exp = unary(tf.exp)
    log = unary(tf.math.log)
    sqrt = unary(tf.sqrt)
    sigmoid = unary(tf.sigmoid)
    erf = unary(tf.math.erf)
    relu = unary(tf.nn.relu)
    softplus = unary(tf.nn.softplus)
    sin = unary(tf.sin)
    cos = unary(tf.cos)
    tan = unary(tf.tan)
    asin = unary(tf.asin)
    acos = unary(tf.acos)
    atan = unary(tf.atan)
    sinh = unary(tf.sinh)
    cosh = unary(tf.cosh)
    asinh = unary(tf.asinh)
    acosh = unary(tf.acosh)
    atanh = unary(tf.atanh)
    floor = unary(tf.floor)
    ceil = unary(tf.math.ceil)
    round = unary(tf.round)
    stop_gradient = unary(tf.stop_gradient)
    logical_not = unary(tf.logical_not)

    def isnan(self, x: Tensor) -> Tensor:
        return kept(tf.math.is_nan)(x)

    def bitwise_not(self, x: Tensor) -> Tensor:
        return tf.bitwise.invert(x)

    def bit_cast(self, x: Tensor, dtype: np.dtype) -> Tensor:
        if tf.bool in (x.dtype, tensor_dtype(dtype)):  # a bool's bits are 0 and 1
            return self.cast(x, dtype)
        return tf.bitcast(x, tensor_dtype(dtype))

    def tanh(self, x: Tensor) -> Tensor:
        return _tanh_apart(x) if self.inferring else _tanh(x)

    def gelu(self, x: Tensor, approximate: bool) -> Tensor:
        return kept(_gelu)(x, approximate)

    # --- elementwise, two operands and three
    add = binary("add", tf.add)
    subtract = binary("subtract", tf.subtract)
    multiply = binary("multiply", tf.multiply)
    divide = binary("divide", _divide)
    power = binary("power", tf.pow)
    maximum = extreme("maximum", tf.maximum)
    minimum = extreme("minimum", tf.minimum)
    equal = binary("equal", tf.equal)
    less = binary("less", tf.less)
    greater = binary("greater", tf.greater)
    floored_remainder = binary("floored_remainder", tf.math.floormod)
    truncated_remainder = binary("truncated_remainder", _truncated_remainder)
    logical_and = binary("logical_and", tf.logical_and)
    logical_or = binary("logical_or", tf.logical_or)
    logical_xor = binary("logical_xor", tf.math.logical_xor)
    bitwise_xor = bitwise(tf.bitwise.bitwise_xor)
    bitwise_and = bitwise(tf.bitwise.bitwise_and)
    bitwise_or = bitwise(tf.bitwise.bitwise_or)
    shift_left = bitwise(tf.bitwise.left_shift)
    shift_right = bitwise(tf.bitwise.right_shift)

    def hard_swish(self, x: Tensor) -> Tensor:
        return clip.hard_swish(x)

    def clip(self, x: Tensor, low: Any, high: Any) -> Tensor:
        if tf.is_tensor(low) or tf.is_tensor(high):
            return super().clip(x, low, high)
        if low is not None and high is not None and x.dtype.is_floating:
            if self.inferring and (low, high) == (0, 6):
                return clip.relu6(x)
            return clip.between(x, min(low, high), high)
        # Both work in the order that x has.
        if low is not None:
            x = self.maximum(x, low)
        if high is None:
            return x
        return self.minimum(x, high)

    def where(self, condition: Tensor, x: Any, y: Any) -> Tensor:
        return tf.where(condition, *matched(x, y))

    # --- reductions
    sum = reduction(tf.reduce_sum)
    mean = reduction(tf.reduce_mean)
    max = reduction(largest, tf.reduce_any)
    min = reduction(smallest, tf.reduce_all)
    product = reduction(tf.reduce_prod)
    log_sum_exp = reduction(tf.reduce_logsumexp)

    def argmax(self, x: Tensor, axis: int) -> Tensor:
        return tf.argmax(x, axis, tf.int64)

    def cumulative_sum(self, x: Tensor, axis: int) -> Tensor:
        return tf.cumsum(x, axis)

    def cumulative_product(self, x: Tensor, axis: int) -> Tensor:
        return tf.math.cumprod(x, axis)

    def top_k(self, x: Tensor, k: int, axis: int, largest: bool) -> tuple[Tensor, Tensor]:
        last = _moved(x, axis, -1)
        if largest:
            values, places = tf.math.top_k(last, k)
        else:
            places = tf.argsort(last, -1, stable=True)[..., :k]
            values = tf.gather(last, places, axis=-1, batch_dims=x.shape.rank - 1)
        return _moved(values, -1, axis), tf.cast(_moved(places, -1, axis), tf.int64)

    def softmax(self, x: Tensor, axis: int) -> Tensor:
        if x.dtype != tf.float16:
            return tf.nn.softmax(x, axis)
        # Rounded after each step, as ONNX's own meaning is.
        powers = tf.exp(x - tf.reduce_max(x, axis, True))
        return powers / self.sum(powers, (axis,), True)

    def log_softmax(self, x: Tensor, axis: int) -> Tensor:
        return tf.nn.log_softmax(x, axis)

    # --- linear and neural
    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        if x.dtype == tf.float16:
            return tf.cast(self.matmul(*_widened(x, y)), tf.float16)
        if x.shape.rank == y.shape.rank == 2:
            return matrix_products.product(x, y)
        if x.shape.rank > 2 == y.shape.rank:
            return matrix_products.product_of_rows(x, y)
        # A vector is a row from the left, a column from the right, and no axis of the result.
        dropped = []
        if x.shape.rank == 1:
            x = x[None, :]
            dropped.append(-2)
        if y.shape.rank == 1:
            y = y[:, None]
            dropped.append(-1)
        z = tf.matmul(x, y)
        if dropped:
            return tf.squeeze(z, dropped)
        return z

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y = self.matmul(x, weight)
        bias = tf.cast(bias, y.dtype)
        if tuple(bias.shape) not in ((y.shape[-1],), (1, y.shape[-1])):
            return y + bias
        # A sum of rows [1, m] is joined with the product too, by a kernel that takes [m] alone.
        return tf.nn.bias_add(y, tf.reshape(bias, (-1,)))

    def convolution(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
        dilations: Sequence[int],
        groups: int,
    ) -> Tensor:
        if x.dtype == tf.float16:
            wide_x, wide_weight, wide_bias = _widened(x, weight, bias)
            return cast_to(
                self.convolution(wide_x, wide_weight, wide_bias, strides, pads, dilations, groups),
                tf.float16,
            )
        y = neural.convolve(_last(x), weight, strides, pads, dilations, groups, self.inferring)
        if bias is not None:
            y = tf.nn.bias_add(y, tf.cast(bias, y.dtype))
        return _first(y)

    def max_pool(
        self,
        x: Tensor,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Tensor:
        return _first(
            neural.max_pool(neural.padded(_last(x), pads, lowest(self.dtype(x))), kernel, strides)
        )

    def average_pool(
        self,
        x: Tensor,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> Tensor:
        return _first(neural.average_pool(neural.padded(_last(x), pads), kernel, strides))

    def convolution_transpose(
        self,
        x: Tensor,
        weight: Tensor,
        strides: Sequence[int],
        dilations: Sequence[int],
        groups: int,
    ) -> Tensor:
        return _first(neural.convolve_transposed(_last(x), weight, strides, dilations, groups))

    def einsum(self, equation: str, *arrays: Tensor) -> Tensor:
        return tf.einsum(equation, *arrays)

    def determinant(self, x: Tensor) -> Tensor:
        return tf.linalg.det(x)

    def fourier(self, x: Tensor, inverse: bool) -> Tensor:
        if inverse:
            z = tf.signal.ifft(tf.complex(x[..., 0], x[..., 1]))
        else:
            # The forward float32 kernel leaves 1e-6 where NumPy's has 0.
            wide = tf.cast(x, tf.float64)
            z = tf.signal.fft(tf.complex(wide[..., 0], wide[..., 1]))
        return tf.cast(tf.stack((tf.math.real(z), tf.math.imag(z)), -1), x.dtype)


def _widened(*arrays: Tensor | None) -> list[Tensor | None]:
    """float16 as float32: TensorFlow's kernels add up in float16, which nobody else does."""
    return list(map(_widened_one, arrays))


def _widened_one(x: Tensor | None) -> Tensor | None:
    if x is None:
        return None
    return cast_to(x, tf.float32)


def _last(x: Tensor) -> Tensor:
    if x.shape.rank == 4:
        return channels_last(x)
    return neural.to_last(x)


def _first(y: Tensor) -> Tensor:
    if y.shape.rank == 4:
        return channels_first(y)
    return neural.to_first(y)
