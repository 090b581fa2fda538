"""Convolution and pooling. Padding is resolved to (before, after) for each axis here, so no framework has its own idea of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allotrope.operators.table import operator

Pads = list[tuple[int, int]]


@operator("Conv")
def convolution(
    p: Any,
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """Cross-correlation of x [n, c, *spatial] with weight [m, c / group, *kernel]."""
    kernel = tuple(p.shape(weight)[2:])
    strides, dilations = _ones(strides, kernel), _ones(dilations, kernel)
    both = resolve_pads(auto_pad, pads, p.shape(x)[2:], kernel, strides, dilations)
    return p.convolution(x, weight, bias, strides, both, dilations, group)


@operator("MaxPool")
def max_pool(
    p: Any,
    x: Any,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    storage_order: int = 0,
    strides: Sequence[int] | None = None,
) -> Any:
    """Largest of each window."""
    strides, dilations = _ones(strides, kernel_shape), _ones(dilations, kernel_shape)
    spatial = p.shape(x)[2:]
    both = resolve_pads(auto_pad, pads, spatial, kernel_shape, strides, dilations)
    if ceil_mode:
        both = ceiling_pads(spatial, kernel_shape, strides, dilations, both)
    return p.max_pool(x, tuple(kernel_shape), strides, both, dilations)


@operator("GlobalAveragePool")
def global_average_pool(p: Any, x: Any) -> Any:
    """Mean over all spatial axes, which stay with length 1."""
    return p.mean(x, tuple(range(2, len(p.shape(x)))), True)


@operator("GlobalMaxPool")
def global_max_pool(p: Any, x: Any) -> Any:
    """Largest over all spatial axes, which stay with length 1."""
    return p.max(x, tuple(range(2, len(p.shape(x)))), True)


def _ones(given: Sequence[int] | None, like: Sequence[int]) -> tuple[int, ...]:
    return tuple(given) if given is not None else (1,) * len(like)


def window(kernel: int, dilation: int) -> int:
    """The length that a dilated kernel covers."""
    return dilation * (kernel - 1) + 1


def resolve_pads(
    auto_pad: str, pads: Sequence[int] | None, spatial: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Pads:
    """ONNX's pads or auto_pad as (before, after) for each spatial axis."""
    rank = len(kernel)
    if auto_pad in ("NOTSET", ""):
        pads = [0] * (2 * rank) if pads is None else pads
        return [(int(pads[i]), int(pads[rank + i])) for i in range(rank)]
    if auto_pad == "VALID":
        return [(0, 0)] * rank
    totals = [max(0, (-(-n // s) - 1) * s + window(k, d) - n) for n, k, s, d in zip(spatial, kernel, strides, dilations, strict=True)]
    return [(t // 2, t - t // 2) if auto_pad == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals]


def ceiling_pads(spatial: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Pads) -> Pads:
    """Pads lengthened so that the last, partial window counts; a window that would begin in the padding after is dropped."""
    longer = []
    for n, k, s, d, (before, after) in zip(spatial, kernel, strides, dilations, pads, strict=True):
        free = n + before + after - window(k, d)
        count = -(-free // s) + 1
        if (count - 1) * s >= n + before:
            count -= 1
        longer.append((before, max(after, (count - 1) * s + window(k, d) - n - before)))
    return longer
