"""Which kernel and which place are followed: where the numbers are largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotrope.explaining.followed import Followed
from allotrope.explaining.way import Changed, Convolution

MOST_MAPS = 32
"""Maps that are drawn of a layer."""


@dataclass(frozen=True)
class KernelPatch:
    """What a kernel lies on: patch [i, kh, kw] of what the convolution takes, zeros outside.

    `frame`: top, left, height and width in pixels of the picture, which may reach beyond it.
    """

    patch: np.ndarray
    frame: tuple[int, int, int, int]


def liveliest(maps: np.ndarray) -> int:
    """The channel of maps [c, h, w] that differs most from place to place."""
    return int(maps.reshape(len(maps), -1).std(axis=1).argmax())


def shown(maps: np.ndarray, chosen: int) -> list[int]:
    """The channels that are drawn, in their order: the liveliest if there are too many."""
    spread = maps.reshape(len(maps), -1).std(axis=1)
    order = np.argsort(-spread, kind="stable")[:MOST_MAPS].tolist()
    return sorted({chosen, *order[: MOST_MAPS - 1]} if chosen not in order else order)


def kernel_followed(way: Followed) -> int:
    """The kernel of the first convolution whose map is the liveliest when it is activated."""
    convolution, activation = way.way.convolutions[0], way.way.activation
    maps = way.arrays[convolution.made.name]
    if activation is not None:
        after = way.arrays[activation.made.name]
        if after.shape == maps.shape:
            maps = after
    return liveliest(maps)


def place_followed(way: Followed, channel: int) -> tuple[int, int]:
    """Row and column of its map where the kernel answers most."""
    maps = way.arrays[way.way.convolutions[0].made.name]
    row, column = np.unravel_index(maps[channel].argmax(), maps.shape[1:])
    return int(row), int(column)


def channel_of(way: Followed, change: Changed, channel: int | None) -> int:
    """The channel that is followed, if the maps are those of the first convolution still."""
    maps = way.arrays[change.taken.name]
    first = way.way.convolutions
    if channel is not None and first and len(maps) == len(way.arrays[first[0].made.name]):
        return channel
    return liveliest(maps)


def window_at(
    way: Followed, convolution: Convolution, channel: int, at: tuple[int, int]
) -> KernelPatch:
    """What the kernel of this channel lies on for this place of its map."""
    taken, kernels = way.arrays[convolution.taken.name], way.arrays[convolution.kernels]
    attributes = convolution.node.attributes
    _, depth, *sides = kernels.shape
    strides = attributes.get("strides", (1, 1))
    dilations = attributes.get("dilations", (1, 1))
    pads = attributes.get("pads", (0, 0, 0, 0))
    first = channel // (len(kernels) // attributes.get("group", 1)) * depth
    padded = np.pad(taken[first : first + depth], ((0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    starts = [place * stride for place, stride in zip(at, strides, strict=True)]
    rows, columns = (
        slice(start, start + dilation * (side - 1) + 1, dilation)
        for start, dilation, side in zip(starts, dilations, sides, strict=True)
    )
    reach = [dilation * (side - 1) + 1 for dilation, side in zip(dilations, sides, strict=True)]
    frame = (starts[0] - pads[0], starts[1] - pads[1], reach[0], reach[1])
    return KernelPatch(padded[:, rows, columns], frame)
