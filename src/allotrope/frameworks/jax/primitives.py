"""The primitives in JAX."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from allotrope.frameworks.jax import neural as neural
from allotrope.frameworks.jax.arrays import (
    UnknownValueError,
    available,
    binary,
    divide,
    magnitude,
    maximum,
    minimum,
    to_array,
    to_numpy,
    unary,
)
from allotrope.frameworks.jax.extremes import largest, smallest
from allotrope.frameworks.jax.layout import channels_first, kept, twin
from allotrope.frameworks.jax.shaping import JaxShaping
from allotrope.frameworks.jax.softmax import log_softmax, softmax
from allotrope.frameworks.layout import in_order
from allotrope.frameworks.primitives import Array, Primitives, highest, lowest

Results = tuple[list[Array], list[Array]]
"""The states of a scan, and its results."""


class JaxPrimitives(JaxShaping, Primitives):
    """Primitives over `jax.Array`.

    Where `narrow` is a dtype, convolutions and matrix products of float32 are computed in it, and
    their results are float32 again.
    """

    title = "JAX"

    def __init__(self, narrow: np.dtype | None = None) -> None:
        """Computes everything in the dtype it has where `narrow` is None."""
        self.narrow = narrow

    # --- arrays
    def constant(self, value: np.ndarray) -> jax.Array:
        return to_array(value)

    def to_host(self, x: Array) -> np.ndarray:
        known = lax.stop_gradient(x)
        if isinstance(known, jax.core.Tracer):
            raise UnknownValueError(
                "the computation depends on a value that is not known while JAX traces the network."
            )
        return to_numpy(known)

    def differentiated(self, x: Array) -> bool:
        return jnp.issubdtype(x.dtype, jnp.inexact) and lax.stop_gradient(x) is not x

    def shape(self, x: Array) -> tuple[int, ...]:
        return tuple(x.shape)

    def dtype(self, x: Array) -> np.dtype:
        return np.dtype(x.dtype)

    def cast(self, x: Array, dtype: np.dtype) -> jax.Array:
        target = available(dtype)
        if target == np.bool_:
            return kept(lambda x: x != 0)(x)
        return kept(lambda x: lax.convert_element_type(x, target))(x)

    def full(self, shape: Sequence[int], value: float | int | bool, dtype: np.dtype) -> jax.Array:
        return jnp.full(tuple(shape), value, available(dtype))

    def arange(self, count: int, dtype: np.dtype) -> jax.Array:
        return jnp.arange(count, dtype=available(dtype))

    # --- elementwise, one operand
    negative = unary(jnp.negative)
    abs = unary(magnitude)
    sign = unary(jnp.sign)
    exp = unary(jnp.exp)
    log = unary(jnp.log)
    sqrt = unary(jnp.sqrt)
    tanh = unary(jnp.tanh)
    sigmoid = unary(jax.nn.sigmoid)
    erf = unary(lax.erf)
    relu = unary(jax.nn.relu)
    softplus = unary(jax.nn.softplus)
    sin = unary(jnp.sin)
    cos = unary(jnp.cos)
    tan = unary(jnp.tan)
    asin = unary(jnp.arcsin)
    acos = unary(jnp.arccos)
    atan = unary(jnp.arctan)
    sinh = unary(jnp.sinh)
    cosh = unary(jnp.cosh)
    asinh = unary(jnp.arcsinh)
    acosh = unary(jnp.arccosh)
    atanh = unary(jnp.arctanh)
    floor = unary(jnp.floor)
    ceil = unary(jnp.ceil)
    round = unary(jnp.round)
    stop_gradient = unary(lax.stop_gradient)
    isnan = unary(jnp.isnan)
    logical_not = unary(jnp.logical_not)
    bitwise_not = unary(jnp.bitwise_not)

    def bit_cast(self, x: Array, dtype: np.dtype) -> jax.Array:
        target = available(dtype)
        # A bool's bits are 0 and 1.
        if np.bool_ in (x.dtype, target):
            return self.cast(x, target)
        return lax.bitcast_convert_type(x, target)

    def gelu(self, x: Array, approximate: bool) -> jax.Array:
        return kept(functools.partial(jax.nn.gelu, approximate=approximate))(x)

    # --- elementwise, two operands and three
    add = binary(jnp.add)
    subtract = binary(jnp.subtract)
    multiply = binary(jnp.multiply)
    divide = binary(divide)
    power = binary(jnp.power)
    maximum = binary(maximum)
    minimum = binary(minimum)
    equal = binary(jnp.equal)
    less = binary(jnp.less)
    greater = binary(jnp.greater)
    bitwise_xor = binary(jnp.bitwise_xor)
    bitwise_and = binary(jnp.bitwise_and)
    bitwise_or = binary(jnp.bitwise_or)
    logical_and = binary(jnp.logical_and)
    logical_or = binary(jnp.logical_or)
    logical_xor = binary(jnp.logical_xor)
    floored_remainder = binary(jnp.remainder)
    truncated_remainder = binary(jnp.fmod)
    shift_left = binary(jnp.left_shift)
    shift_right = binary(jnp.right_shift)

    def where(self, condition: Array, x: Any, y: Any) -> jax.Array:
        # One of them may be a number, which has no dtype of its own.
        if isinstance(x, jax.Array):
            dtype = x.dtype
        else:
            dtype = y.dtype
        return kept(jnp.where)(condition, jnp.asarray(x, dtype), jnp.asarray(y, dtype))

    # --- reductions
    def sum(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> jax.Array:
        return _reduced(functools.partial(jnp.sum, dtype=x.dtype), x, axes, keepdims)

    def mean(
        self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> jax.Array:
        return _reduced(functools.partial(jnp.mean, dtype=x.dtype), x, axes, keepdims)

    def max(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> jax.Array:
        if x.size:
            return _reduced(largest, x, axes, keepdims)
        nothing = functools.partial(jnp.max, initial=lowest(self.dtype(x)))
        return _reduced(nothing, x, axes, keepdims)

    def min(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> jax.Array:
        if x.size:
            return _reduced(smallest, x, axes, keepdims)
        nothing = functools.partial(jnp.min, initial=highest(self.dtype(x)))
        return _reduced(nothing, x, axes, keepdims)

    def product(
        self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> jax.Array:
        return jnp.prod(x, _axes(axes), dtype=x.dtype, keepdims=keepdims)

    def log_sum_exp(
        self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> jax.Array:
        return jax.nn.logsumexp(x, _axes(axes), keepdims=keepdims)

    def argmax(self, x: Array, axis: int) -> jax.Array:
        return jnp.argmax(x, axis)

    def cumulative_sum(self, x: Array, axis: int) -> jax.Array:
        return jnp.cumsum(x, axis, dtype=x.dtype)

    def cumulative_product(self, x: Array, axis: int) -> jax.Array:
        return jnp.cumprod(x, axis, dtype=x.dtype)

    def top_k(self, x: Array, k: int, axis: int, largest: bool) -> tuple[jax.Array, jax.Array]:
        order = jnp.argsort(x, axis, stable=True, descending=largest)
        places = lax.slice_in_dim(order, 0, k, axis=axis)
        return jnp.take_along_axis(x, places, axis), places

    def softmax(self, x: Array, axis: int) -> jax.Array:
        return softmax(x, axis)

    def log_softmax(self, x: Array, axis: int) -> jax.Array:
        return log_softmax(x, axis)

    # --- linear and neural
    def _narrowed(self, function: Callable[..., jax.Array], *arrays: Array) -> jax.Array:
        """The function of arrays in the narrow dtype, with a float32 result.

        Just the function where there is none.
        """
        if self.narrow is None or any(x.dtype != np.float32 for x in arrays):
            return function(*arrays)
        return function(*(x.astype(self.narrow) for x in arrays)).astype(np.float32)

    def matmul(self, x: Array, y: Array) -> jax.Array:
        if x.ndim > 2 == y.ndim:
            # As rows: so XLA makes the slope of y of one product, without turning x.
            *places, k = x.shape
            rows = self._narrowed(jnp.matmul, x.reshape(math.prod(places), k), y)
            return rows.reshape(*places, y.shape[1])
        return self._narrowed(jnp.matmul, x, y)

    def linear(self, x: Array, weight: Array, bias: Array) -> jax.Array:
        return self.matmul(x, weight) + bias

    def einsum(self, equation: str, *arrays: Array) -> jax.Array:
        return self._narrowed(functools.partial(jnp.einsum, equation), *arrays)

    def convolution(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
        dilations: Sequence[int],
        groups: int,
    ) -> jax.Array:
        options = {
            "window_strides": strides,
            "padding": pads,
            "rhs_dilation": dilations,
            "feature_group_count": groups,
        }
        return neural.convolve(self._narrowed, x, weight, bias, options)

    def convolution_transpose(
        self, x: Array, weight: Array, strides: Sequence[int], dilations: Sequence[int], groups: int
    ) -> jax.Array:
        return neural.convolve_transposed(self._narrowed, x, weight, strides, dilations, groups)

    def max_pool(
        self,
        x: Array,
        kernel: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[tuple[int, int]],
    ) -> jax.Array:
        return neural.max_pool(x, lowest(self.dtype(x)), kernel, strides, pads)

    average_pool = staticmethod(neural.average_pool)

    def determinant(self, x: Array) -> jax.Array:
        return jnp.linalg.det(x)

    def fourier(self, x: Array, inverse: bool) -> jax.Array:
        z = lax.complex(x[..., 0], x[..., 1])
        if inverse:
            z = jnp.fft.ifft(z)
        else:
            # In float32 JAX's forward transform leaves 1e-7 where others give 0.
            z = jnp.fft.fft(z.astype(available(np.dtype(np.complex128))))
        return jnp.stack((z.real, z.imag), -1).astype(x.dtype)

    # --- sequences
    def scan(
        self,
        body: Callable[[list[Array], list[Array]], Results],
        states: list[Array],
        inputs: list[Array],
        length: int,
    ) -> Results:
        def step(states: list[Array], slices: list[Array]) -> Results:
            following, results = body(states, slices)
            return list(following), list(results)

        try:
            if length:
                return lax.scan(step, list(states), list(inputs), length)
            return super().scan(body, states, inputs, length)
        except UnknownValueError:
            # A body that needs to know its values is unrolled.
            return super().scan(body, states, inputs, length)

    # --- normalization
    def layer_normalize(
        self, x: Array, scale: Array, bias: Array | None, shape: Sequence[int], epsilon: float
    ) -> jax.Array:
        axes = tuple(range(x.ndim - len(shape), x.ndim))
        wide = x.astype(jnp.promote_types(x.dtype, np.float32))
        centred = wide - jnp.mean(wide, axes, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axes, keepdims=True)
        y = (centred * lax.rsqrt(variance + epsilon)).astype(x.dtype) * scale
        if bias is None:
            return y
        return y + bias

    normalize = staticmethod(neural.normalize)

    def batch_normalize(
        self, x: Array, scale: Array, bias: Array, epsilon: float
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        mean, variance = neural.statistics(x)
        return (
            self.normalize(x, scale, bias, mean, variance, epsilon),
            lax.stop_gradient(mean),
            lax.stop_gradient(variance),
        )


def _axes(axes: Sequence[int] | None) -> tuple[int, ...] | None:
    if axes is None:
        return None
    return tuple(axes)


def _reduced(
    function: Callable[..., jax.Array], x: Array, axes: Sequence[int] | None, keepdims: bool
) -> jax.Array:
    """A reduction in the order that x is in, where the axes that are left do not depend on it."""
    y, places = twin(x), _axes(axes)
    if y is None or places is None:
        return function(x, places, keepdims=keepdims)
    chosen = {axis % 4 for axis in places}
    # What is left after the channels, or after height and width, has one order only.
    if not (keepdims or {2, 3} <= chosen or places in ((1,), (-3,))):
        return function(x, places, keepdims=keepdims)
    result = function(y, tuple(in_order([axis % 4 for axis in places])), keepdims=keepdims)
    if keepdims:
        return channels_first(result)
    return result
