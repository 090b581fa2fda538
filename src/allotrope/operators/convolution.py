"""Convolution and pooling. Padding is resolved to (before, after) for each axis here, so no framework has its own idea of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.memory import room_for
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


@operator("ConvTranspose")
def convolution_transpose(
    p: Any,
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """The transpose of Conv: x [n, c, *spatial] with weight [c, m / group, *kernel], its full result cut or lengthened by pads."""
    kernel = tuple(p.shape(weight)[2:])
    rank = len(kernel)
    strides, dilations = _ones(strides, kernel), _ones(dilations, kernel)
    extra = tuple(output_padding) if output_padding is not None else (0,) * rank
    y = p.convolution_transpose(x, weight, strides, dilations, group)
    whole = [n + e for n, e in zip(p.shape(y)[2:], extra, strict=True)]
    both = transposed_pads(p.shape(x)[2:], whole, strides, auto_pad, pads, output_shape)
    y = _cut(p, y, both, extra)
    return y if bias is None else p.add(y, p.reshape(bias, (-1, *[1] * rank)))


def transposed_pads(
    spatial: Sequence[int],
    whole: Sequence[int],
    strides: Sequence[int],
    auto_pad: str,
    pads: Sequence[int] | None,
    output_shape: Sequence[int] | None,
) -> Pads:
    """What a transposed convolution's `whole` result, output_padding included, loses at its ends.

    A negative number is what it gains: all that output_shape asks for beyond the whole is at the
    end, as in ONNX Runtime.
    """
    rank = len(whole)
    if output_shape is not None:
        totals = [n - w for n, w in zip(whole, list(output_shape)[-rank:], strict=True)]
    elif auto_pad.startswith("SAME"):
        # As ONNX infers the shape and ONNX Runtime computes it: a kernel that is shorter than the
        # stride reaches no further than its own end.
        totals = [max(0, n - m * s) for n, m, s in zip(whole, spatial, strides, strict=True)]
    else:
        return list(zip(pads[:rank], pads[rank:], strict=True)) if pads else [(0, 0)] * rank
    return [_ends(total, auto_pad) for total in totals]


def _ends(total: int, auto_pad: str) -> tuple[int, int]:
    if total < 0:
        return 0, total
    return (total // 2, total - total // 2) if auto_pad == "SAME_UPPER" else (total - total // 2, total // 2)


def _cut(p: Any, y: Any, pads: Pads, extra: Sequence[int]) -> Any:
    """y without pads at both ends of each spatial axis, and with `extra` zeros first put at its end; negative pads add zeros."""
    before = [-a for a, _ in pads]
    after = [e - b for e, (_, b) in zip(extra, pads, strict=True)]
    return _pad_or_crop(p, y, before, after)


def _pad_or_crop(p: Any, x: Any, before: Sequence[int], after: Sequence[int]) -> Any:
    """x [n, c, *spatial] with that many zeros at the ends of its spatial axes, or that many elements less where negative."""
    lengths = p.shape(x)
    starts = [0, 0, *(max(0, -b) for b in before)]
    stops = [*lengths[:2], *(n - max(0, -a) for n, a in zip(lengths[2:], after, strict=True))]
    if any(n < 0 for n in (*before, *after)):
        x = p.slice(x, starts, stops, [1] * len(lengths))
    longer = [0, 0, *(max(0, b) for b in before)], [0, 0, *(max(0, a) for a in after)]
    return p.pad(x, *longer, "constant", 0) if any(map(any, longer)) else x


def _ones(given: Sequence[int] | None, like: Sequence[int]) -> tuple[int, ...]:
    return tuple(given) if given is not None else (1,) * len(like)


def window(kernel: int, dilation: int) -> int:
    """The length that a dilated kernel covers."""
    return dilation * (kernel - 1) + 1


def resolve_pads(
    auto_pad: str,
    pads: Sequence[int] | None,
    spatial: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Pads:
    """ONNX's pads or auto_pad as (before, after) for each spatial axis."""
    rank = len(kernel)
    if auto_pad in ("NOTSET", ""):
        return [(0, 0)] * rank if pads is None else list(zip(pads[:rank], pads[rank:], strict=True))
    if auto_pad == "VALID":
        return [(0, 0)] * rank
    totals = [max(0, (-(-n // s) - 1) * s + window(k, d) - n) for n, k, s, d in zip(spatial, kernel, strides, dilations, strict=True)]
    return [(t // 2, t - t // 2) if auto_pad == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals]


@operator("Col2Im", host=("image_shape", "block_shape"))
def columns_to_image(
    p: Any,
    x: Any,
    image_shape: np.ndarray,
    block_shape: np.ndarray,
    *,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """Columns x [n, c * block, positions] added up where they lie in an image [n, c, *image_shape]."""
    image, block = [int(w) for w in image_shape], [int(k) for k in block_shape]
    strides, dilations = _ones(strides, block), _ones(dilations, block)
    both = resolve_pads("NOTSET", pads, image, block, strides, dilations)
    padded = [w + sum(pad) for w, pad in zip(image, both, strict=True)]
    room_for(padded, p.dtype(x))
    axes = [
        np.arange(k)[:, None] * d + np.arange((w - window(k, d)) // s + 1) * s
        for w, k, d, s in zip(padded, block, dilations, strides, strict=True)
    ]
    rank = len(block)
    room_for([a.size for a in axes], np.dtype(np.int64))
    grids = [a.reshape([n for j in range(rank) for n in (a.shape if j == i else (1, 1))]) for i, a in enumerate(axes)]
    flat = sum(g * math.prod(padded[i + 1 :]) for i, g in enumerate(grids))
    places = np.transpose(np.asarray(flat), [*range(0, 2 * rank, 2), *range(1, 2 * rank, 2)]).reshape(-1)
    n, columns, positions = p.shape(x)
    channels = columns // math.prod(block)
    if len(places) * channels != columns * positions:
        raise ModelError(f"columns of shape {(n, columns, positions)} do not fill an image {image} in blocks {block} with these strides.")
    values = p.transpose(p.reshape(x, (n, channels, len(places))), (2, 0, 1))
    total = p.scatter(p.full((math.prod(padded), n, channels), 0, p.dtype(x)), p.constant(places), values, "add")
    return _cut(p, p.reshape(p.transpose(total, (1, 2, 0)), (n, channels, *padded)), both, [0] * rank)
