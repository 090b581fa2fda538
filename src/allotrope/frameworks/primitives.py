"""The array functions that each framework supplies. All operators are written over them.

Conventions: axes may be negative; `axes=None` means all; dtypes are NumPy's (with ml_dtypes for
bfloat16 and smaller); the second operand of a binary primitive may be a Python number, which takes
the first one's dtype; binary primitives broadcast as NumPy does; both operands have the same dtype,
which is the result's too (bool for comparisons).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.frameworks.activations import ActivationPrimitives
from allotrope.frameworks.neural import Array as Array
from allotrope.frameworks.neural import NeuralPrimitives
from allotrope.frameworks.shaping import ShapingPrimitives

MOST_AXES = 64
"""Of an array in NumPy (`NPY_MAXDIMS`); PyTorch and JAX make arrays of more."""


def check_axes(count: int) -> None:
    """Raises: UnsupportedError for a value of more axes than a NumPy array can have."""
    if count > MOST_AXES:
        raise UnsupportedError(
            f"a value has {count} axes; what goes in or out of a network has at most {MOST_AXES}, "
            "as many as a NumPy array. A shape that the network computes is far out of range."
        )


def lowest(dtype: np.dtype) -> float | int | bool:
    """What never wins a maximum: minus infinity, the smallest integer, False."""
    if dtype.kind not in "iub":
        return -highest(dtype)
    if dtype.kind == "b":
        return False
    return int(np.iinfo(dtype).min)


def highest(dtype: np.dtype) -> float | int | bool:
    """What never wins a minimum: infinity, the largest integer, True."""
    if dtype.kind not in "iub":
        return math.inf
    if dtype.kind == "b":
        return True
    return int(np.iinfo(dtype).max)


class Primitives(ActivationPrimitives, NeuralPrimitives, ShapingPrimitives):
    """Functions over the arrays of one framework, differentiable by its own means.

    `title` is the framework's name for people. `failures` are the exceptions of its own by which it
    says that arrays do not fit, beside Python's; `lacking` those among them that say that it has no
    kernel for them.
    """

    title: ClassVar[str] = "this framework"
    failures: ClassVar[tuple[type[Exception], ...]] = ()
    lacking: ClassVar[tuple[type[Exception], ...]] = (NotImplementedError,)

    # --- arrays

    @abc.abstractmethod
    def constant(self, value: np.ndarray) -> Array:
        """An array of the framework with this value, dtype and shape."""

    @abc.abstractmethod
    def to_host(self, x: Array) -> np.ndarray:
        """The value as a NumPy array.

        Raises: UnsupportedError while tracing, where the value is not known yet.
        """

    @abc.abstractmethod
    def differentiated(self, x: Array) -> bool:
        """Whether a gradient is asked for that would flow back through x, as far as can be told."""

    @abc.abstractmethod
    def shape(self, x: Array) -> tuple[int, ...]:
        """The lengths of the axes."""

    @abc.abstractmethod
    def dtype(self, x: Array) -> np.dtype:
        """The dtype, as NumPy's."""

    @abc.abstractmethod
    def cast(self, x: Array, dtype: np.dtype) -> Array:
        """Convert as ONNX's Cast does: floats to ints truncate, anything to bool is `!= 0`."""

    @abc.abstractmethod
    def full(self, shape: Sequence[int], value: float | int | bool, dtype: np.dtype) -> Array:
        """An array filled with one value."""

    @abc.abstractmethod
    def arange(self, count: int, dtype: np.dtype) -> Array:
        """0, 1, … count - 1."""

    def beside(self, x: Array) -> Self:
        """Primitives that make new arrays where x is.

        These themselves where a framework sees to that.
        """
        return self

    def overwriting(self) -> Self:
        """Primitives whose `relu` and `clip` may put their result in x.

        These themselves where arrays never change.
        """
        return self

    # --- elementwise, one operand
    @abc.abstractmethod
    def negative(self, x: Array) -> Array:
        """-x."""

    @abc.abstractmethod
    def abs(self, x: Array) -> Array:
        """|x|, with gradient 0 at 0."""

    @abc.abstractmethod
    def sign(self, x: Array) -> Array:
        """-1, 0 or 1."""

    @abc.abstractmethod
    def exp(self, x: Array) -> Array:
        """e to the x."""

    @abc.abstractmethod
    def log(self, x: Array) -> Array:
        """Natural logarithm."""

    @abc.abstractmethod
    def sqrt(self, x: Array) -> Array:
        """Square root."""

    @abc.abstractmethod
    def tanh(self, x: Array) -> Array:
        """Hyperbolic tangent."""

    @abc.abstractmethod
    def erf(self, x: Array) -> Array:
        """Gauss error function."""

    @abc.abstractmethod
    def sin(self, x: Array) -> Array:
        """Sine, of radians."""

    @abc.abstractmethod
    def cos(self, x: Array) -> Array:
        """Cosine, of radians."""

    @abc.abstractmethod
    def tan(self, x: Array) -> Array:
        """Tangent, of radians."""

    @abc.abstractmethod
    def asin(self, x: Array) -> Array:
        """Inverse sine, radians."""

    @abc.abstractmethod
    def acos(self, x: Array) -> Array:
        """Inverse cosine, radians."""

    @abc.abstractmethod
    def atan(self, x: Array) -> Array:
        """Inverse tangent, radians."""

    @abc.abstractmethod
    def sinh(self, x: Array) -> Array:
        """Hyperbolic sine."""

    @abc.abstractmethod
    def cosh(self, x: Array) -> Array:
        """Hyperbolic cosine."""

    @abc.abstractmethod
    def asinh(self, x: Array) -> Array:
        """Inverse hyperbolic sine."""

    @abc.abstractmethod
    def acosh(self, x: Array) -> Array:
        """Inverse hyperbolic cosine."""

    @abc.abstractmethod
    def atanh(self, x: Array) -> Array:
        """Inverse hyperbolic tangent."""

    @abc.abstractmethod
    def floor(self, x: Array) -> Array:
        """Largest integer that is not above x."""

    @abc.abstractmethod
    def ceil(self, x: Array) -> Array:
        """Smallest integer that is not below x."""

    @abc.abstractmethod
    def round(self, x: Array) -> Array:
        """Nearest integer, halves to the even one."""

    @abc.abstractmethod
    def stop_gradient(self, x: Array) -> Array:
        """x, through which no gradient flows back."""

    @abc.abstractmethod
    def isnan(self, x: Array) -> Array:
        """Whether x is not a number."""

    @abc.abstractmethod
    def logical_not(self, x: Array) -> Array:
        """Not x, of bool."""

    @abc.abstractmethod
    def bitwise_not(self, x: Array) -> Array:
        """Every bit of an integer turned."""

    @abc.abstractmethod
    def bit_cast(self, x: Array, dtype: np.dtype) -> Array:
        """The same bits read as another dtype of the same width."""

    # --- elementwise, two operands and three
    @abc.abstractmethod
    def add(self, x: Array, y: Array | float) -> Array:
        """x + y."""

    @abc.abstractmethod
    def subtract(self, x: Array, y: Array | float) -> Array:
        """x - y."""

    @abc.abstractmethod
    def multiply(self, x: Array, y: Array | float) -> Array:
        """x * y."""

    @abc.abstractmethod
    def divide(self, x: Array, y: Array | float) -> Array:
        """x / y; integers truncate toward zero."""

    @abc.abstractmethod
    def power(self, x: Array, y: Array | float) -> Array:
        """x to the y."""

    @abc.abstractmethod
    def maximum(self, x: Array, y: Array | float) -> Array:
        """The larger; NaN wins.

        Of two equal elements each has half of the gradient, of one that equals a number it has all.
        """

    @abc.abstractmethod
    def minimum(self, x: Array, y: Array | float) -> Array:
        """The smaller; NaN wins. Gradients as of `maximum`."""

    def clip(self, x: Array, low: Array | float | None, high: Array | float | None) -> Array:
        """x kept between two scalars, the upper one where they cross; None is no bound.

        An element at a bound has all of the gradient.
        """
        if low is not None:
            x = self.where(self.less(x, low), low, x)
        if high is None:
            return x
        return self.where(self.greater(x, high), high, x)

    @abc.abstractmethod
    def equal(self, x: Array, y: Array | float) -> Array:
        """x == y."""

    @abc.abstractmethod
    def less(self, x: Array, y: Array | float) -> Array:
        """x < y."""

    @abc.abstractmethod
    def greater(self, x: Array, y: Array | float) -> Array:
        """x > y."""

    @abc.abstractmethod
    def where(self, condition: Array, x: Array | float, y: Array | float) -> Array:
        """x where the condition holds, else y; at least one of them an array."""

    @abc.abstractmethod
    def bitwise_xor(self, x: Array, y: Array | int) -> Array:
        """Bits that differ."""

    @abc.abstractmethod
    def logical_and(self, x: Array, y: Array | int) -> Array:
        """x and y, of bool."""

    @abc.abstractmethod
    def logical_or(self, x: Array, y: Array | int) -> Array:
        """x or y, of bool."""

    @abc.abstractmethod
    def logical_xor(self, x: Array, y: Array | int) -> Array:
        """Either x or y, of bool."""

    @abc.abstractmethod
    def bitwise_and(self, x: Array, y: Array | int) -> Array:
        """Bits that both have."""

    @abc.abstractmethod
    def bitwise_or(self, x: Array, y: Array | int) -> Array:
        """Bits that either has."""

    @abc.abstractmethod
    def floored_remainder(self, x: Array, y: Array | int) -> Array:
        """x - floor(x / y) * y, with the sign of y."""

    @abc.abstractmethod
    def truncated_remainder(self, x: Array, y: Array | int) -> Array:
        """C's fmod: with the sign of x."""

    @abc.abstractmethod
    def shift_left(self, x: Array, y: Array | int) -> Array:
        """Bits moved up by a non-negative count."""

    @abc.abstractmethod
    def shift_right(self, x: Array, count: Array | int) -> Array:
        """Bits moved down by a non-negative count, with copies of the sign, or zeros, above."""

    def shift_right_logical(self, x: Array, count: int) -> Array:
        """Bits of a signed integer moved down by a positive count, zeros from above."""
        return self.bitwise_and(
            self.shift_right(x, count), 2 ** (self.dtype(x).itemsize * 8 - count) - 1
        )

    # --- reductions
    @abc.abstractmethod
    def sum(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        """Sum, in x's dtype."""

    @abc.abstractmethod
    def mean(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        """Mean, in x's dtype."""

    @abc.abstractmethod
    def max(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        """Largest; equal ones share the gradient evenly."""

    @abc.abstractmethod
    def min(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        """Smallest; equal ones share the gradient evenly."""

    @abc.abstractmethod
    def product(self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False) -> Array:
        """Product, in x's dtype."""

    @abc.abstractmethod
    def log_sum_exp(
        self, x: Array, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> Array:
        """log(sum(exp(x))) without overflow."""

    @abc.abstractmethod
    def argmax(self, x: Array, axis: int) -> Array:
        """Where x is first largest along an axis, int64; the axis is gone."""

    @abc.abstractmethod
    def cumulative_sum(self, x: Array, axis: int) -> Array:
        """Running sum along an axis, in x's dtype."""

    @abc.abstractmethod
    def cumulative_product(self, x: Array, axis: int) -> Array:
        """Running product along an axis, in x's dtype."""

    @abc.abstractmethod
    def top_k(self, x: Array, k: int, axis: int, largest: bool) -> tuple[Array, Array]:
        """The k largest or smallest in order, and their places, int64; ties in order of place."""

    @abc.abstractmethod
    def softmax(self, x: Array, axis: int) -> Array:
        """exp(x) / sum(exp(x)) along an axis."""

    @abc.abstractmethod
    def log_softmax(self, x: Array, axis: int) -> Array:
        """Logarithm of softmax."""
