"""Operators that act on each element alone: arithmetic, comparison, activations, casts, dropout."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.operators.operator_table import operator
from allotrope.operators.random import keep_mask


def _same(name: str, primitive: str) -> Callable[..., Any]:
    """Enter an operator whose meaning is a primitive's."""

    def apply(p: Any, *operands: Any) -> Any:
        return getattr(p, primitive)(*operands)

    return operator(name)(apply)


for _name, _primitive in {
    "Neg": "negative", "Abs": "abs", "Sign": "sign", "Exp": "exp", "Log": "log", "Sqrt": "sqrt",
    "Tanh": "tanh", "Sigmoid": "sigmoid", "Erf": "erf", "Relu": "relu", "Softplus": "softplus",
    "Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide",
    "Equal": "equal", "Less": "less", "Greater": "greater", "Where": "where",
    "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan",
    "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh",
    "Floor": "floor", "Ceil": "ceil", "Round": "round", "IsNaN": "isnan", "Not": "logical_not",
    "And": "logical_and", "Or": "logical_or", "Xor": "logical_xor", "BitwiseNot": "bitwise_not",
    "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor",
}.items():  # fmt: skip
    _same(_name, _primitive)


def _folded(primitive: str) -> Callable[..., Any]:
    def fold(p: Any, first: Any, *others: Any) -> Any:
        for other in others:
            first = getattr(p, primitive)(first, other)
        return first

    return fold


operator("Max")(_folded("maximum"))
operator("Min")(_folded("minimum"))
operator("Sum")(_folded("add"))


@operator("Identity")
def identity(p: Any, x: Any) -> Any:
    """x itself."""
    return x


@operator("Pow")
def power(p: Any, x: Any, y: Any) -> Any:
    """x to the y, in x's dtype."""
    if p.dtype(y) != p.dtype(x):
        y = p.cast(y, p.dtype(x))
    return p.power(x, y)


@operator("Reciprocal")
def reciprocal(p: Any, x: Any) -> Any:
    """1 / x."""
    return p.divide(p.full((), 1, p.dtype(x)), x)


@operator("Clip", known=("minimum", "maximum"))
def clip(p: Any, x: Any, minimum: Any = None, maximum: Any = None) -> Any:
    """x kept between two scalars, either of which may be left out."""
    if isinstance(minimum, np.ndarray):
        minimum = minimum.item()
    if isinstance(maximum, np.ndarray):
        maximum = maximum.item()
    return p.clip(x, minimum, maximum)


@operator("LeakyRelu")
def leaky_relu(p: Any, x: Any, *, alpha: float = 0.01) -> Any:
    """x above 0, alpha * x below; at 0 the slope is the mean of both."""
    return p.multiply(x, _slope(p, x, alpha))


@operator("PRelu")
def parametric_relu(p: Any, x: Any, slope: Any) -> Any:
    """x above 0, slope * x below, with a learned slope; at 0 it is the mean of both."""
    # Whole numbers have no slopes, and no halves.
    if p.dtype(x).kind in "iu":
        return p.where(p.less(x, 0), p.multiply(x, slope), x)
    return p.multiply(x, _slope(p, x, slope))


def _slope(p: Any, x: Any, below: Any) -> Any:
    """1 where x is above 0, `below` under it, their mean at 0, exactly.

    It is computed without a choice, which is slow.
    """
    half = p.multiply(p.sign(x), 0.5)
    return p.add(p.add(half, 0.5), p.multiply(p.add(p.negative(half), 0.5), below))


@operator("Elu")
def elu(p: Any, x: Any, *, alpha: float = 1.0) -> Any:
    """x above 0, alpha * (exp(x) - 1) below; at 0 the derivative is the mean of both sides'."""
    if alpha == 1.0:
        above = x
    else:
        # At 0 itself the slope is the mean of 1 and alpha; with alpha 1 both sides agree there.
        above = p.where(p.greater(x, 0), x, p.multiply(x, (1 + alpha) / 2))
    return p.where(p.less(x, 0), p.multiply(p.subtract(p.exp(p.minimum(x, 0)), 1), alpha), above)


@operator("Selu")
def selu(
    p: Any,
    x: Any,
    *,
    alpha: float = 1.67326319217681884765625,
    gamma: float = 1.05070102214813232421875,
) -> Any:
    """gamma * Elu(x, alpha) (Klambauer et al. 2017)."""
    return p.multiply(elu(p, x, alpha=alpha), gamma)


@operator("HardSigmoid")
def hard_sigmoid(p: Any, x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    """alpha * x + beta, kept within 0 and 1."""
    return p.clip(p.add(p.multiply(x, alpha), beta), 0, 1)


@operator("HardSwish")
def hard_swish(p: Any, x: Any) -> Any:
    """x * HardSigmoid(x, 1/6, 0.5) (Howard et al. 2019)."""
    return p.hard_swish(x)


@operator("Swish")
def swish(p: Any, x: Any, *, alpha: float = 1.0) -> Any:
    """x * sigmoid(alpha * x) (Ramachandran et al. 2017)."""
    if alpha == 1.0:
        return p.silu(x)
    return p.multiply(x, p.sigmoid(p.multiply(x, alpha)))


@operator("Gelu")
def gelu(p: Any, x: Any, *, approximate: str = "none") -> Any:
    """x * Phi(x), exact or by the tanh form (Hendrycks and Gimpel 2016)."""
    return p.gelu(x, approximate == "tanh")


@operator("Mean")
def mean(p: Any, *arrays: Any) -> Any:
    """The mean of several arrays, element by element."""
    return p.divide(_folded("add")(p, *arrays), len(arrays))


@operator("LessOrEqual")
def less_or_equal(p: Any, x: Any, y: Any) -> Any:
    """x <= y; false where either is NaN."""
    return p.logical_or(p.less(x, y), p.equal(x, y))


@operator("GreaterOrEqual")
def greater_or_equal(p: Any, x: Any, y: Any) -> Any:
    """x >= y; false where either is NaN."""
    return p.logical_or(p.greater(x, y), p.equal(x, y))


@operator("Mod")
def modulo(p: Any, x: Any, y: Any, *, fmod: int = 0) -> Any:
    """The remainder, with the sign of y, or with the sign of x if fmod."""
    if fmod:
        return p.truncated_remainder(x, y)
    return p.floored_remainder(x, y)


@operator("IsInf")
def is_infinite(p: Any, x: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    """Whether x is infinite, in the directions asked for."""
    positive = negative = p.full(p.shape(x), False, np.dtype(bool))
    if detect_positive:
        positive = p.equal(x, math.inf)
    if detect_negative:
        negative = p.equal(x, -math.inf)
    return p.logical_or(positive, negative)


@operator("BitShift")
def bit_shift(p: Any, x: Any, count: Any, *, direction: str) -> Any:
    """Bits of an integer moved LEFT, or RIGHT with copies of its sign.

    Counts outside of its width move every bit out.
    """
    width, unsigned = p.dtype(x).itemsize * 8, np.issubdtype(p.dtype(x), np.unsignedinteger)
    if unsigned:
        inside = p.less(count, width)
    else:
        inside = p.logical_and(p.less(count, width), p.greater(count, -1))
    # What a shift by more than the width gives is left open by C, and so by every framework.
    safe = p.where(inside, count, 0)
    if direction == "LEFT":
        return p.where(inside, p.shift_left(x, safe), 0)
    if unsigned:
        signs = p.multiply(x, 0)
    else:
        signs = p.where(p.less(x, 0), p.full((), -1, p.dtype(x)), 0)
    return p.where(inside, p.shift_right(x, safe), signs)


@operator("Celu")
def celu(p: Any, x: Any, *, alpha: float = 1.0) -> Any:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) (Barron 2017)."""
    return p.add(
        p.relu(x), p.multiply(p.subtract(p.exp(p.divide(p.minimum(x, 0), alpha)), 1), alpha)
    )


@operator("Softsign")
def softsign(p: Any, x: Any) -> Any:
    """x / (1 + |x|)."""
    return p.divide(x, p.add(p.abs(x), 1))


@operator("Mish")
def mish(p: Any, x: Any) -> Any:
    """x * tanh(softplus(x)) (Misra 2019)."""
    return p.multiply(x, p.tanh(p.softplus(x)))


@operator("Shrink")
def shrink(p: Any, x: Any, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    """x moved by bias toward 0 outside of -lambd..lambd, 0 inside."""
    # x times 0 and not 0, so that NaN stays NaN.
    below = p.where(p.less(x, -lambd), p.add(x, bias), p.multiply(x, 0))
    return p.where(p.greater(x, lambd), p.subtract(x, bias), below)


@operator("ThresholdedRelu")
def thresholded_relu(p: Any, x: Any, *, alpha: float = 1.0) -> Any:
    """x above alpha, else 0."""
    return p.where(p.greater(x, alpha), x, 0)


@operator("Cast")
def cast(p: Any, x: Any, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    """x in another dtype; float8 saturates unless told not to."""
    return cast_to(p, x, dtype_of(to), bool(saturate))


@operator("CastLike")
def cast_like(p: Any, x: Any, like: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    """x in the dtype of another array."""
    return cast_to(p, x, p.dtype(like), bool(saturate))


def cast_to(p: Any, x: Any, dtype: np.dtype, saturate: bool) -> Any:
    """x in another dtype, kept within the finite range of a float8 where `saturate`."""
    if dtype.name == "float8_e8m0fnu":
        raise UnsupportedError("float8_e8m0fnu, with its choice of roundings, is not supported.")
    if saturate and dtype.name.startswith("float8"):
        # A float8 without infinity would turn what is too large into NaN.
        limit = float(ml_dtypes.finfo(dtype).max)
        x = p.clip(x, -limit, limit)
    return p.cast(x, dtype)


@operator("BitCast")
def bit_cast(p: Any, x: Any, *, to: int) -> Any:
    """The bits of x read as another dtype of the same width."""
    return p.bit_cast(x, dtype_of(to))


@operator("Dropout", host=("ratio", "training_mode"))
def dropout(
    p: Any, x: Any, ratio: Any = None, training_mode: Any = None, *, seed: int = 0, context: Any
) -> Any:
    """Inverted dropout where the network trains, x itself elsewhere.

    The mask comes from the stream (seed, step, node), the same in every framework. A node that
    drops outside of training too draws from its own seed as ONNX's reference implementation does.
    """
    if ratio is None:
        rate = 0.5
    else:
        rate = float(ratio)
    # A file can ask for dropout in inference too, by an input.
    always = training_mode is not None and bool(training_mode)
    if not (context.training or always) or rate == 0.0:
        if context.wants(1):
            return x, p.full(p.shape(x), True, np.dtype(bool))
        return x
    if context.training:
        mask = keep_mask(p, p.shape(x), rate, context)
    else:
        mask = p.constant(np.random.RandomState(seed).uniform(0, 1, p.shape(x)) >= rate)
    return p.multiply(p.where(mask, x, 0), 1 / (1 - rate)), mask


DTYPES = (
    "", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "object", "bool",
    "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "uint4", "int4",
    "float4_e2m1fn", "float8_e8m0fnu", "uint2", "int2", "float6_e2m3fn", "float6_e3m2fn",
)  # fmt: skip
"""NumPy's names (with ml_dtypes) of ONNX's element types, by their numbers in TensorProto.DataType.
"""


def dtype_of(code: int) -> np.dtype:
    """The NumPy dtype of an ONNX element type.

    Raises: UnsupportedError for a number that is none.
    """
    if not 0 < code < len(DTYPES):
        raise UnsupportedError(f"{code} is the number of no ONNX element type.")
    return np.dtype(DTYPES[code])
