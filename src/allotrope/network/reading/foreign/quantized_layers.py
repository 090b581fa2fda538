"""Layers over quantized arrays, between DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

from allotrope.network.reading.foreign.linear import fused_convolution
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.quantized import floats, rounded
from allotrope.network.reading.foreign.writer import Writer


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
    shift = None
    if bias:
        shift = floats(w, bias, _product(w, x_scale, w_scale), None, 0)
    if channels_last:
        y = w.channels_first(y, rank)
    y = fused_convolution(
        w,
        y,
        floats(w, weight, w_scale, w_zero, 0),
        shift,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    if channels_last:
        y = w.channels_last(y, rank)
    return rounded(w, y, y_scale, y_zero, (x_zero,))


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
    """Gemm, its int32 bias in units of alpha and both scales; floats without a scale for them."""
    shift = None
    if c:
        shift = floats(w, c, _product(w, a_scale, b_scale, alpha), None, len(w.shape(c)) - 1)
    # Its scales are one for each column of the result.
    second = floats(w, b, b_scale, b_zero, int(not transB))
    y = w.add(
        "Gemm",
        floats(w, a, a_scale, a_zero),
        second,
        shift,
        alpha=alpha,
        transA=transA,
        transB=transB,
    )
    if y_scale:
        return rounded(w, y, y_scale, y_zero, (a_zero,))
    return y


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
    if channels_last:
        y = w.channels_first(y, rank)
    y = w.add(
        "AveragePool",
        y,
        kernel_shape=kernel_shape,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        pads=pads,
        strides=strides,
    )
    if channels_last:
        y = w.channels_last(y, rank)
    return rounded(w, y, y_scale, y_zero, (x_zero, x))


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


def _product(w: Writer, one: str, other: str, factor: float = 1.0) -> str:
    """The scale of a product of quantized arrays."""
    scales = [w.fixed(name, "scale").reshape(-1) for name in (one, other)]
    product = (scales[0] * scales[1] * scales[0].dtype.type(factor)).astype(scales[0].dtype)
    if product.size == 1:
        product = product.reshape(())
    return w.constant(product, name="scale")
