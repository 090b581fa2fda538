"""Quantized operators.

Sums of products of bytes are computed in float64, exact below 2^53, which every framework
multiplies fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.axes import one_axis
from allotrope.operators.convolution import convolution
from allotrope.operators.elementwise import cast_to, dtype_of
from allotrope.operators.operator_table import operator

_FAR = 2.0**24
"""Saturates every type even after a zero point is added, and fits into int32."""
_INT32, _WIDE = np.dtype(np.int32), np.dtype(np.float64)


@operator("QuantizeLinear")
def quantize_linear(
    p: Any,
    x: Any,
    scale: Any,
    zero_point: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Any:
    """round(x / scale) + zero_point, halves to even, saturated.

    Scale is one number, one an index of the axis, or one a block of it.
    """
    dtype, offset = dtype_of(output_dtype or 2), None
    if precision:
        x, scale = (p.cast(a, dtype_of(precision)) for a in (x, scale))
    scaled = p.divide(x, spread(p, scale, p.shape(x), axis, block_size, p.dtype(x)))
    if zero_point is not None:
        dtype = p.dtype(zero_point)
        offset = spread(p, zero_point, p.shape(x), axis, block_size, _INT32)
    return _quantized(p, scaled, offset, dtype, bool(saturate))


def _quantized(p: Any, x: Any, offset: Any, dtype: np.dtype, saturate: bool) -> Any:
    """Rounded, moved by an offset in int32 and clipped to an integer type.

    a type of floats only rounds.
    """
    if not _is_integer(dtype):
        return cast_to(p, x, dtype, saturate)
    low, high = _bounds(dtype)
    # In half precision x / scale would be rounded before it is rounded.
    if p.dtype(x).itemsize < 4:
        x = p.cast(x, np.dtype(np.float32))
    # Clipped before the cast: a float beyond int32 becomes anything.
    whole = p.cast(p.maximum(p.minimum(p.round(x), _FAR), -_FAR), _INT32)
    if offset is not None:
        whole = p.add(whole, offset)
    return p.cast(p.maximum(p.minimum(whole, high), low), dtype)


def _is_integer(dtype: np.dtype) -> bool:
    return dtype.kind in "iu" or "int" in dtype.name


def _bounds(dtype: np.dtype) -> tuple[int, int]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
    else:
        limits = ml_dtypes.iinfo(dtype)
    return int(limits.min), int(limits.max)


def spread(p: Any, x: Any, shape: Sequence[int], axis: int, block: int, dtype: np.dtype) -> Any:
    """Scales or zero points in a shape that broadcasts with the values that they belong to."""
    if p.dtype(x) != dtype:
        x = p.cast(x, dtype)
    lengths = p.shape(x)
    axis %= max(len(shape), 1)
    if len(lengths) == len(shape) > 1 and block:
        # Each scale is repeated along the axis, for all values of its block.
        parts = p.reshape(x, (*lengths[: axis + 1], 1, *lengths[axis + 1 :]))
        wide = p.broadcast_to(parts, (*lengths[: axis + 1], block, *lengths[axis + 1 :]))
        return p.reshape(wide, (*lengths[:axis], lengths[axis] * block, *lengths[axis + 1 :]))
    if len(lengths) == 1 and lengths[0] > 1:
        return p.reshape(x, one_axis(axis, len(shape)))
    if np.prod(lengths) != 1:
        raise ModelError(
            f"scales or zero points of shape {tuple(lengths)} do not fit values of shape "
            f"{tuple(shape)} with block_size {block}."
        )
    return p.reshape(x, ())


@operator("DequantizeLinear")
def dequantize_linear(
    p: Any,
    x: Any,
    scale: Any,
    zero_point: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Any:
    """(x - zero_point) * scale, in the scale's type unless output_dtype says another."""
    dtype, shape = p.dtype(scale), p.shape(x)
    if zero_point is not None and _is_integer(p.dtype(x)):
        x = p.subtract(p.cast(x, _INT32), spread(p, zero_point, shape, axis, block_size, _INT32))
    y = p.multiply(p.cast(x, dtype), spread(p, scale, shape, axis, block_size, dtype))
    if output_dtype:
        return p.cast(y, dtype_of(output_dtype))
    return y


def _centred(p: Any, x: Any, zero_point: Any, channel: int) -> Any:
    """x - zero_point in float64; several zero points are one an index of the axis `channel`."""
    wide = p.cast(x, _WIDE)
    if zero_point is None:
        return wide
    return p.subtract(wide, _along(p, zero_point, len(p.shape(x)), channel))


def _along(p: Any, x: Any, rank: int, axis: int) -> Any:
    """One number, or one an index of an axis, in float64 and a shape that broadcasts.

    More axes are taken as they are.
    """
    lengths, wide = p.shape(x), p.cast(x, _WIDE)
    if len(lengths) != 1:
        return wide
    if lengths[0] == 1:
        return p.reshape(wide, ())
    return p.reshape(wide, one_axis(axis % rank, rank))


def _requantized(p: Any, exact: Any, factor: Any, zero_point: Any) -> Any:
    """An exact result times a factor, rounded, moved by the zero point, saturated to its type."""
    # The zero point is added before rounding, so that halves go to the even result.
    moved = p.add(p.multiply(exact, factor), p.cast(p.reshape(zero_point, ()), _WIDE))
    low, high = _bounds(p.dtype(zero_point))
    return p.cast(p.maximum(p.minimum(p.round(moved), high), low), p.dtype(zero_point))


@operator("MatMulInteger")
def matmul_integer(
    p: Any, a: Any, b: Any, a_zero_point: Any = None, b_zero_point: Any = None
) -> Any:
    """(A - its zero point) (B - its zero point), int32.

    Zero points are one a row of A, one a column of B, or one.
    """
    return p.cast(
        p.matmul(_centred(p, a, a_zero_point, -2), _centred(p, b, b_zero_point, -1)), _INT32
    )


@operator("QLinearMatMul")
def qlinear_matmul(
    p: Any,
    a: Any,
    a_scale: Any,
    a_zero_point: Any,
    b: Any,
    b_scale: Any,
    b_zero_point: Any,
    y_scale: Any,
    y_zero_point: Any,
) -> Any:
    """y = (A - a0) (B - b0) * a_scale * b_scale / y_scale + y0: a product of quantized matrices."""
    exact = p.matmul(_centred(p, a, a_zero_point, -2), _centred(p, b, b_zero_point, -1))
    rank = len(p.shape(exact))
    factor = p.multiply(
        _along(p, a_scale, rank, -2),
        p.divide(_along(p, b_scale, rank, -1), _along(p, y_scale, rank, -2)),
    )
    return _requantized(p, exact, factor, y_zero_point)


@operator("ConvInteger", attributes_of=convolution)
def convolution_integer(
    p: Any, x: Any, weight: Any, x_zero_point: Any = None, w_zero_point: Any = None, **geometry: Any
) -> Any:
    """Conv of x - its zero point with weight - its own, int32; padding is the zero point."""
    y = convolution(
        p, _centred(p, x, x_zero_point, 1), _centred(p, weight, w_zero_point, 0), **geometry
    )
    return p.cast(y, _INT32)


@operator("QLinearConv", attributes_of=convolution)
def qlinear_convolution(
    p: Any,
    x: Any,
    x_scale: Any,
    x_zero_point: Any,
    weight: Any,
    w_scale: Any,
    w_zero_point: Any,
    y_scale: Any,
    y_zero_point: Any,
    bias: Any = None,
    **geometry: Any,
) -> Any:
    """Conv of quantized arrays, quantized.

    The int32 bias is in units of x_scale * w_scale, which may differ by output channel.
    """
    wide_bias = None
    if bias is not None:
        wide_bias = p.cast(bias, _WIDE)
    exact = convolution(
        p,
        _centred(p, x, x_zero_point, 1),
        _centred(p, weight, w_zero_point, 0),
        wide_bias,
        **geometry,
    )
    rank = len(p.shape(exact))
    factor = p.divide(
        p.multiply(_along(p, x_scale, rank, 1), _along(p, w_scale, rank, 1)),
        _along(p, y_scale, rank, 1),
    )
    return _requantized(p, exact, factor, y_zero_point)
