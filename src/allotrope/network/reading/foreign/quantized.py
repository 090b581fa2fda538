"""Operators over quantized arrays: the float operator between DequantizeLinear and QuantizeLinear.

How far these are undone, so that the network can be trained further, is `dequantize`'s affair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.errors import ModelError
from allotrope.network.reading.foreign.activations import softmax
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


def floats(w: Writer, x: str, scale: str, zero_point: str | None, axis: int | None = None) -> str:
    """What a quantized array stands for."""
    return w.add("DequantizeLinear", x, scale, zero_point, axis=axis)


def rounded(
    w: Writer, y: str, scale: str, zero_point: str | None, like: Sequence[str | None]
) -> str:
    """A float array quantized; without a zero point to the type of those that are `like` it."""
    if zero_point is None:
        # QuantizeLinear takes its type from the zero point alone: without one a zero is made of the
        # type that the neighbours have.
        known = [w.dtype(name) for name in like if name]
        dtype = next((dtype for dtype in known if dtype.kind in "iu"), np.dtype(np.uint8))
        zero_point = w.constant(0, dtype, "zero_point")
    return w.add("QuantizeLinear", y, scale, zero_point)


@foreign("DequantizeLinear")
def dequantize_linear(
    w: Writer, x: str, scale: str, zero_point: str | None = None, *, axis: int = 1
) -> str:
    """ONNX's DequantizeLinear."""
    return floats(w, x, scale, zero_point, axis)


@foreign("QuantizeLinear")
def quantize_linear(
    w: Writer, x: str, scale: str, zero_point: str | None = None, *, axis: int = 1
) -> str:
    """ONNX's QuantizeLinear."""
    return w.add("QuantizeLinear", x, scale, zero_point, axis=axis)


def _of_two(
    w: Writer,
    operator: str,
    a: Sequence[str | None],
    b: Sequence[str | None],
    c: Sequence[str | None],
) -> str:
    one, other = (floats(w, str(x), str(scale), zero) for x, scale, zero in (a, b))
    return rounded(w, w.add(operator, one, other), str(c[0]), c[1], (a[2], b[2], a[0], b[0]))


@foreign("QLinearAdd")
def add(
    w: Writer,
    a: str,
    a_scale: str,
    a_zero: str | None,
    b: str,
    b_scale: str,
    b_zero: str | None,
    c_scale: str,
    c_zero: str | None = None,
) -> str:
    """Add."""
    return _of_two(w, "Add", (a, a_scale, a_zero), (b, b_scale, b_zero), (c_scale, c_zero))


@foreign("QLinearMul")
def multiply(
    w: Writer,
    a: str,
    a_scale: str,
    a_zero: str | None,
    b: str,
    b_scale: str,
    b_zero: str | None,
    c_scale: str,
    c_zero: str | None = None,
) -> str:
    """Mul."""
    return _of_two(w, "Mul", (a, a_scale, a_zero), (b, b_scale, b_zero), (c_scale, c_zero))


@foreign("QLinearConcat")
def concatenate(w: Writer, y_scale: str, y_zero: str, *inputs: str, axis: int) -> str:
    """Concat of arrays that come each with its scale and zero point."""
    if len(inputs) % 3:
        raise ModelError(
            f"it has {len(inputs)} inputs behind its first two, expected three for each array"
        )
    parts = [
        floats(w, x, scale, zero)
        for x, scale, zero in zip(inputs[::3], inputs[1::3], inputs[2::3], strict=True)
    ]
    return rounded(w, w.add("Concat", *parts, axis=axis), y_scale, y_zero, inputs[2::3])


@foreign("QLinearWhere")
def where(
    w: Writer,
    condition: str,
    x: str,
    x_scale: str,
    x_zero: str,
    y: str,
    y_scale: str,
    y_zero: str,
    z_scale: str,
    z_zero: str,
) -> str:
    """Where."""
    z = w.add("Where", condition, floats(w, x, x_scale, x_zero), floats(w, y, y_scale, y_zero))
    return rounded(w, z, z_scale, z_zero, (x_zero, y_zero))


@foreign("QLinearSigmoid")
def sigmoid(
    w: Writer, x: str, x_scale: str, x_zero: str | None, y_scale: str, y_zero: str | None = None
) -> str:
    """Sigmoid."""
    return rounded(w, w.add("Sigmoid", floats(w, x, x_scale, x_zero)), y_scale, y_zero, (x_zero, x))


@foreign("QLinearLeakyRelu")
def leaky_relu(
    w: Writer,
    x: str,
    x_scale: str,
    x_zero: str | None,
    y_scale: str,
    y_zero: str | None = None,
    *,
    alpha: float = 0.01,
) -> str:
    """LeakyRelu."""
    return rounded(
        w,
        w.add("LeakyRelu", floats(w, x, x_scale, x_zero), alpha=alpha),
        y_scale,
        y_zero,
        (x_zero, x),
    )


@foreign("QLinearSoftmax")
def soft(
    w: Writer,
    x: str,
    x_scale: str,
    x_zero: str | None,
    y_scale: str,
    y_zero: str,
    *,
    opset: int,
    axis: int = -1,
) -> str:
    """Softmax, before opset 13 over all axes from `axis` on."""
    y = softmax(w, floats(w, x, x_scale, x_zero), axis, w.rank(x), flattened=opset < 13)
    return rounded(w, y, y_scale, y_zero, (x_zero, x))


@foreign("QLinearReduceMean")
def reduce_mean(
    w: Writer,
    x: str,
    x_scale: str,
    x_zero: str | None,
    y_scale: str,
    y_zero: str | None = None,
    *,
    axes: tuple[int, ...],
    keepdims: int,
) -> str:
    """ReduceMean."""
    y = w.add("ReduceMean", floats(w, x, x_scale, x_zero), w.ints(*axes), keepdims=keepdims)
    return rounded(w, y, y_scale, y_zero, (x_zero, x))
