"""Operators over images with the channels last, [n, h, w, c]."""

from __future__ import annotations

from allotrope.network.reading.foreign.linear import fused_convolution
from allotrope.network.reading.foreign.operator_table import foreign
from allotrope.network.reading.foreign.writer import Writer


@foreign("NhwcMaxPool")
def max_pool(
    w: Writer,
    x: str,
    *,
    kernel_shape: tuple[int, ...],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> str:
    """MaxPool."""
    rank = len(kernel_shape) + 2
    y = w.add(
        "MaxPool",
        w.channels_first(x, rank),
        kernel_shape=kernel_shape,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        dilations=dilations,
        pads=pads,
        strides=strides,
    )
    return w.channels_last(y, rank)


@foreign("NhwcConv")
def convolution(
    w: Writer,
    x: str,
    weight: str,
    bias: str | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: tuple[int, ...] | None = None,
    group: int = 1,
    kernel_shape: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> str:
    """Conv, its weight [m, kh, kw, c] with the channels last too."""
    rank = w.rank(weight)
    y = fused_convolution(
        w,
        w.channels_first(x, rank),
        w.channels_first(weight, rank),
        bias,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    return w.channels_last(y, rank)
