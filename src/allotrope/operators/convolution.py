"""Convolution and pooling.

Padding is resolved to (before, after) for each axis here, so no framework has its own idea of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator

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
    ends = resolve_pads(auto_pad, pads, p.shape(x)[2:], kernel, strides, dilations)
    return p.convolution(x, weight, bias, strides, ends, dilations, group)


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
    """The transpose of Conv: x [n, c, *spatial] with weight [c, m / group, *kernel].

    Its full result is cut or lengthened by pads.
    """
    kernel = tuple(p.shape(weight)[2:])
    rank = len(kernel)
    strides, dilations = _ones(strides, kernel), _ones(dilations, kernel)
    extra = tuple(output_padding or (0,) * rank)
    y = p.convolution_transpose(x, weight, strides, dilations, group)
    # ONNX cuts from what output_padding has lengthened, not before it.
    whole = [n + e for n, e in zip(p.shape(y)[2:], extra, strict=True)]
    ends = transposed_pads(p.shape(x)[2:], whole, strides, auto_pad, pads, output_shape)
    y = _cut(p, y, ends, extra)
    if bias is None:
        return y
    return p.add(y, p.reshape(bias, (-1, *[1] * rank)))


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
        return explicit_pads(pads, rank)
    return [_ends(total, auto_pad) for total in totals]


def explicit_pads(pads: Sequence[int] | None, rank: int) -> Pads:
    """ONNX's pads, all that come before and then all that come after, by axis; none are 0."""
    if not pads:
        return [(0, 0)] * rank
    return list(zip(pads[:rank], pads[rank:], strict=True))


def _ends(total: int, auto_pad: str) -> tuple[int, int]:
    """A total shared by both ends of an axis: the odd one goes to the end that auto_pad names."""
    if total < 0:
        return 0, total
    if auto_pad == "SAME_UPPER":
        return total // 2, total - total // 2
    return total - total // 2, total // 2


def _cut(p: Any, y: Any, pads: Pads, extra: Sequence[int]) -> Any:
    """y without pads at both ends of each spatial axis; negative pads add zeros.

    `extra` zeros are put at its end before it is cut.
    """
    before = [-a for a, _ in pads]
    after = [e - b for e, (_, b) in zip(extra, pads, strict=True)]
    return _pad_or_crop(p, y, before, after)


def _pad_or_crop(p: Any, x: Any, before: Sequence[int], after: Sequence[int]) -> Any:
    """x [n, c, *spatial] with so many zeros at the ends of its spatial axes, or elements less."""
    # Cutting comes first: a slice and a pad along the same axis would else undo each other.
    lengths = p.shape(x)
    starts = [0, 0, *(max(0, -b) for b in before)]
    stops = [*lengths[:2], *(n - max(0, -a) for n, a in zip(lengths[2:], after, strict=True))]
    if any(n < 0 for n in (*before, *after)):
        x = p.slice(x, starts, stops, [1] * len(lengths))
    longer = [0, 0, *(max(0, b) for b in before)], [0, 0, *(max(0, a) for a in after)]
    if any(map(any, longer)):
        return p.pad(x, *longer, "constant", 0)
    return x


def _ones(steps: Sequence[int] | None, like: Sequence[int]) -> tuple[int, ...]:
    """Strides or dilations, 1 for each axis if there are none."""
    return tuple(steps or (1,) * len(like))


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
        return explicit_pads(pads, rank)
    if auto_pad == "VALID":
        return [(0, 0)] * rank
    totals = [
        # As many windows as strides fit, rounded up, and what they reach beyond the input.
        max(0, (-(-n // s) - 1) * s + window(k, d) - n)
        for n, k, s, d in zip(spatial, kernel, strides, dilations, strict=True)
    ]
    return [_ends(total, auto_pad) for total in totals]


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
    """Columns x [n, c * block, positions] added up where they lie in an image [n, c, *shape]."""
    image, block = [int(w) for w in image_shape], [int(k) for k in block_shape]
    strides, dilations = _ones(strides, block), _ones(dilations, block)
    ends = explicit_pads(pads, len(block))
    padded = [w + sum(pad) for w, pad in zip(image, ends, strict=True)]
    room_for(padded, p.dtype(x))
    # Along each axis [kernel, positions]: where each element of a block lies in the padded image.
    axes = [
        np.arange(k)[:, None] * d + np.arange((w - window(k, d)) // s + 1) * s
        for w, k, d, s in zip(padded, block, dilations, strides, strict=True)
    ]
    rank = len(block)
    room_for([a.size for a in axes], np.dtype(np.int64))
    # Each laid out over [kernel_0, positions_0, kernel_1, positions_1, ...], to be added up.
    grids = [a.reshape((1, 1) * i + a.shape + (1, 1) * (rank - 1 - i)) for i, a in enumerate(axes)]
    # The places of all elements in the flattened padded image, by broadcasting over the grids.
    flat = sum(g * math.prod(padded[i + 1 :]) for i, g in enumerate(grids))
    places = np.transpose(
        np.asarray(flat), [*range(0, 2 * rank, 2), *range(1, 2 * rank, 2)]
    ).reshape(-1)
    n, columns, positions = p.shape(x)
    channels = columns // math.prod(block)
    if len(places) * channels != columns * positions:
        raise ModelError(
            f"columns of shape {(n, columns, positions)} do not fill an image {image} in blocks "
            f"{block} with these strides."
        )
    values = p.transpose(p.reshape(x, (n, channels, len(places))), (2, 0, 1))
    # Windows overlap, so that several columns add up in one place.
    total = p.scatter(
        p.full((math.prod(padded), n, channels), 0, p.dtype(x)), p.constant(places), values, "add"
    )
    return _cut(
        p, p.reshape(p.transpose(total, (1, 2, 0)), (n, channels, *padded)), ends, [0] * rank
    )
