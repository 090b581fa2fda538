"""Operators over quantized arrays: the float operator between DequantizeLinear and QuantizeLinear.

How far these are undone, so that the network can be trained further, is `dequantize`'s affair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.foreign.activations import softmax
from allotrope.network.foreign.embedding import embed_layer_normalization
from allotrope.network.foreign.linear import fused_convolution
from allotrope.network.foreign.table import foreign
from allotrope.network.foreign.writer import Writer


def floats(w: Writer, x: str, scale: str, zero_point: str | None, axis: int | None = None) -> str:
    """What a quantized array stands for."""
    return w.add("DequantizeLinear", x, scale, zero_point, axis=axis)


def rounded(
    w: Writer, y: str, scale: str, zero_point: str | None, like: Sequence[str | None]
) -> str:
    """A float array quantized; without a zero point to the type of those that are `like` it."""
    if zero_point is None:
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
    parts = [floats(w, *inputs[at : at + 3]) for at in range(0, len(inputs), 3)]
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


@foreign("QLinearAveragePool")
def average_pool(
    w: Writer,
    x: str,
    x_scale: str,
    x_zero: str | None,
    y_scale: str,
    y_zero: str | None = None,
    *,
    kernel_shape: tuple[int, ...],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> str:
    """AveragePool."""
    rank = len(kernel_shape) + 2
    y = floats(w, x, x_scale, x_zero)
    y = w.channels_first(y, rank) if channels_last else y
    y = w.add(
        "AveragePool", y, kernel_shape=kernel_shape, auto_pad=auto_pad, ceil_mode=ceil_mode, count_include_pad=count_include_pad,
        pads=pads, strides=strides,
    )  # fmt: skip
    return rounded(
        w, w.channels_last(y, rank) if channels_last else y, y_scale, y_zero, (x_zero, x)
    )


@foreign("QLinearGlobalAveragePool")
def global_average_pool(
    w: Writer,
    x: str,
    x_scale: str,
    x_zero: str,
    y_scale: str,
    y_zero: str,
    *,
    channels_last: int = 0,
) -> str:
    """GlobalAveragePool."""
    y = floats(w, x, x_scale, x_zero)
    if channels_last:
        rank = w.rank(x)
        y = w.channels_last(w.add("GlobalAveragePool", w.channels_first(y, rank)), rank)
    else:
        y = w.add("GlobalAveragePool", y)
    return rounded(w, y, y_scale, y_zero, (x_zero,))


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


@foreign("QLinearConv")
def convolve(
    w: Writer,
    x: str,
    x_scale: str,
    x_zero: str,
    weight: str,
    w_scale: str,
    w_zero: str,
    y_scale: str,
    y_zero: str,
    bias: str | None = None,
    *,
    auto_pad: str = "NOTSET",
    channels_last: int = 0,
    dilations: tuple[int, ...] | None = None,
    group: int = 1,
    kernel_shape: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> str:
    """Conv; the int32 bias is in units of both scales."""
    rank = w.rank(weight)
    y = floats(w, x, x_scale, x_zero)
    shift = floats(w, bias, _product(w, x_scale, w_scale), None, 0) if bias else None
    y = fused_convolution(
        w, w.channels_first(y, rank) if channels_last else y, floats(w, weight, w_scale, w_zero, 0), shift, auto_pad=auto_pad,
        dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads, strides=strides,
    )  # fmt: skip
    return rounded(w, w.channels_last(y, rank) if channels_last else y, y_scale, y_zero, (x_zero,))


def _product(w: Writer, one: str, other: str, factor: float = 1.0) -> str:
    """The scale of a product of quantized arrays."""
    scales = [w.fixed(name, "scale").reshape(-1) for name in (one, other)]
    product = (scales[0] * scales[1] * scales[0].dtype.type(factor)).astype(scales[0].dtype)
    return w.constant(product if product.size > 1 else product.reshape(()), name="scale")


@foreign("QGemm")
def gemm(
    w: Writer,
    a: str,
    a_scale: str,
    a_zero: str,
    b: str,
    b_scale: str,
    b_zero: str,
    c: str | None = None,
    y_scale: str | None = None,
    y_zero: str | None = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> str:
    """Gemm, its int32 bias in units of alpha and both scales; not quantized if there is no scale for the result."""
    shift = (
        floats(w, c, _product(w, a_scale, b_scale, alpha), None, len(w.shape(c)) - 1) if c else None
    )
    second = floats(w, b, b_scale, b_zero, 0 if transB else 1)
    y = w.add(
        "Gemm",
        floats(w, a, a_scale, a_zero),
        second,
        shift,
        alpha=alpha,
        transA=transA,
        transB=transB,
    )
    return rounded(w, y, y_scale, y_zero, (a_zero,)) if y_scale else y


@foreign("DynamicQuantizeMatMul")
def dynamic_matmul(
    w: Writer, a: str, b: str, b_scale: str, b_zero: str | None = None, bias: str | None = None
) -> str:
    """A, quantized by its own extremes, times what B stands for, + bias."""
    quantized = w.several("DynamicQuantizeLinear", 3, a)
    y = w.add("MatMul", floats(w, *quantized), floats(w, b, b_scale, b_zero, -1))
    return w.add("Add", y, bias) if bias else y


@foreign("MatMulIntegerToFloat")
def matmul_to_float(
    w: Writer,
    a: str,
    b: str,
    a_scale: str,
    b_scale: str,
    a_zero: str | None = None,
    b_zero: str | None = None,
    bias: str | None = None,
) -> str:
    """What A stands for times what B stands for, + bias."""
    y = w.add("MatMul", floats(w, a, a_scale, a_zero, -2), floats(w, b, b_scale, b_zero, -1))
    return w.add("Add", y, bias) if bias else y


@foreign("DynamicQuantizeLSTM")
def dynamic_lstm(
    w: Writer,
    x: str,
    weight: str,
    recurrence: str,
    bias: str | None,
    lengths: str | None,
    first_h: str | None,
    first_c: str | None,
    peepholes: str | None,
    w_scale: str,
    w_zero: str,
    r_scale: str,
    r_zero: str,
    *,
    activation_alpha: tuple[float, ...] | None = None,
    activation_beta: tuple[float, ...] | None = None,
    activations: tuple[str, ...] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
) -> tuple[str, ...]:
    """LSTM; its weights [directions, from, 4 h] are quantized the other way round."""
    arrays = [_turned(w, weight, w_scale, w_zero), _turned(w, recurrence, r_scale, r_zero)]
    return w.several(
        "LSTM", 3, x, *arrays, bias, lengths, first_h, first_c, peepholes, activation_alpha=activation_alpha,
        activation_beta=activation_beta, activations=activations, clip=clip, direction=direction, hidden_size=hidden_size,
        input_forget=input_forget or None,
    )  # fmt: skip


def _turned(w: Writer, weight: str, scale: str, zero_point: str) -> str:
    """What weights of few bits [directions, from, 4 h] stand for, [directions, 4 h, from]; a scale a direction, or one a column of it."""
    integers, factor, middle = (w.fixed(name, "weight") for name in (weight, scale, zero_point))
    if integers.ndim != 3:
        raise UnsupportedError(
            f"its weight has the shape {list(integers.shape)}, expected [directions, from, 4 h]"
        )
    factor, middle = (
        part.reshape(len(integers), 1, -1).astype(np.float32) for part in (factor, middle)
    )
    plain = (integers.astype(np.float32) - middle) * factor
    return w.constant(np.ascontiguousarray(plain.swapaxes(1, 2)), name="weight")


@foreign("QEmbedLayerNormalization")
def quantized_embedding(
    w: Writer,
    ids: str,
    segments: str | None,
    words: str,
    positions: str,
    segment_table: str | None,
    scale: str,
    shift: str,
    mask: str | None,
    words_scale: str,
    positions_scale: str,
    segments_scale: str | None,
    scale_scale: str,
    shift_scale: str,
    words_zero: str,
    positions_zero: str,
    segments_zero: str | None,
    scale_zero: str,
    shift_zero: str,
    *,
    epsilon: float = 1e-12,
) -> tuple[str, ...]:
    """EmbedLayerNormalization of what its tables stand for."""
    tables = [
        floats(w, words, words_scale, words_zero),
        floats(w, positions, positions_scale, positions_zero),
    ]
    third = (
        floats(w, segment_table, segments_scale, segments_zero)
        if segment_table and segments_scale
        else None
    )
    ends = [floats(w, scale, scale_scale, scale_zero), floats(w, shift, shift_scale, shift_zero)]
    return embed_layer_normalization(
        w, ids, segments, *tables, third, *ends, mask, epsilon=epsilon
    )[:2]
