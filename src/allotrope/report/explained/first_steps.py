"""The steps of the convolution: the input matrix, the kernels, the maps that they make."""

from __future__ import annotations

import numpy as np

from allotrope.explaining.followed import Followed
from allotrope.explaining.way import Convolution
from allotrope.report.explained.liveliest import shown, window_at
from allotrope.report.explained.panels import (
    Equation,
    Panel,
    PictureTile,
    Tiles,
    WayStep,
    number,
    pixel_grid,
    plain_tile,
    signed_grid,
    signed_tile,
)
from allotrope.wording import counted

SMALL = 32
"""A picture with longer sides, or in colour, is shown by a part of its numbers."""
PART = 12
WIDEST = 7
"""Kernels with longer sides are drawn without numbers."""
MOST_PRODUCTS = 75
"""More products than 3 x 5 x 5 are not written out."""
CHANNELS = {1: ("",), 3: ("red", "green", "blue")}


def input_step(way: Followed, channel: int | None, at: tuple[int, int] | None) -> WayStep:
    """The picture, and the numbers that it is."""
    height, width, channels = way.picture.shape
    frame = None
    if channel is not None and at is not None:
        frame = window_at(way, way.way.convolutions[0], channel, at).frame
    lines = [
        f"To the network a picture is {counted(height, 'row')} of {counted(width, 'number')}"
        + (f", for each of {channels} channels" if channels > 1 else "")
        + ": 0 is black, 255 is white. The position of a number is all that says where it lies.",
        _prepared(way),
    ]
    picture = Tiles(
        "The picture", [plain_tile(way.picture, f"{width} × {height} pixels", width=196)]
    )
    return WayStep("input", "Input matrix", lines, [picture, *_matrices(way, frame)])


def _prepared(way: Followed) -> str:
    """What the first layer takes in place of the pixels."""
    convolutions = way.way.convolutions
    if not convolutions or len(convolutions[0].taken.shape or ()) != 4:
        return "Pre-processing brings them to numbers around 0 before the first layer."
    taken = way.arrays[convolutions[0].taken.name]
    if taken.shape[1:] != way.picture.shape[:2]:
        return "Pre-processing brings them to other numbers before the first layer."
    row, column = np.unravel_index(way.picture[..., 0].argmax(), way.picture.shape[:2])
    before, after = way.picture[row, column, 0], taken[0, row, column]
    return (
        "Pre-processing is part of the network and brings them to numbers around 0: to the first "
        f"layer {before} is {number(float(after))}."
    )


def _matrices(way: Followed, frame: tuple[int, int, int, int] | None) -> list[Panel]:
    height, width, channels = way.picture.shape
    top, left, rows, columns = 0, 0, height, width
    if max(height, width) > SMALL or (channels > 1 and min(height, width) >= PART):
        middle = (height // 2, width // 2)
        if frame is not None:
            middle = (frame[0] + frame[2] // 2, frame[1] + frame[3] // 2)
        top, left = (
            int(np.clip(place - PART // 2, 0, side - PART))
            for place, side in zip(middle, (height, width), strict=True)
        )
        rows = columns = PART
    part = way.picture[top : top + rows, left : left + columns]
    whole = (rows, columns) == (height, width)
    note = (
        "" if whole else f"Rows {top} to {top + rows - 1}, columns {left} to {left + columns - 1}."
    )
    inside = None if frame is None else (frame[0] - top, frame[1] - left, *frame[2:])
    if inside is not None:
        note = f"{note} The frame is what the kernel below lies on.".strip()
    names = CHANNELS.get(channels, tuple(f"channel {place}" for place in range(channels)))
    return [
        pixel_grid(f"Its numbers{name and f', {name}'}", part[..., place], inside, note)
        for place, name in enumerate(names)
    ]


def kernel_step(way: Followed, channel: int | None) -> WayStep:
    """The weights of the first convolution."""
    title = "Kernels"
    if channel is None:
        return WayStep(
            "kernels", title, [f"This network has no kernels. {_without(way)}"], [], True
        )
    convolution = way.way.convolutions[0]
    kernels = way.arrays[convolution.kernels]
    count, depth, *sides = kernels.shape
    learns = convolution.kernels in way.to_weights
    origin = "Training found these numbers, beginning with random ones"
    if not learns:
        origin = "These were computed from training pictures, and training left them as they are"
    lines = [
        f"The first layer ({convolution.node.label}) has {counted(count, 'kernel')} of {sides[0]} "
        f"× {sides[1]} numbers{_each_channel(depth)}. {origin}.",
        "A kernel answers where the picture looks as it does: where the pixels are bright at its "
        "orange numbers and dark at its blue ones. Two halves of different colour find an edge.",
    ]
    most = float(np.abs(kernels).max())
    drawn = _most_lively(kernels, channel)
    tiles = [_kernel_tile(kernels[place], most, place, place == channel) for place in drawn]
    note = "" if len(drawn) == count else f"The {len(drawn)} largest of {count}."
    panels: list[Panel] = [Tiles("All kernels" if not note else "Kernels", tiles, note)]
    if max(sides) <= WIDEST:
        names = CHANNELS.get(depth, tuple(f"of channel {place}" for place in range(depth)))
        panels += [
            signed_grid(f"Kernel {channel}{name and f', {name}'}", kernels[channel, place], most)
            for place, name in enumerate(names[:3])
        ]
    return WayStep("kernels", title, lines, panels)


def _each_channel(depth: int) -> str:
    return "" if depth == 1 else f" for each of {depth} channels"


def _most_lively(kernels: np.ndarray, chosen: int) -> list[int]:
    return shown(kernels.reshape(len(kernels), -1, 1), chosen)


def _kernel_tile(kernel: np.ndarray, most: float, place: int, chosen: bool) -> PictureTile:
    """The sum over channels would hide colours: the mean is drawn, which keeps the sign."""
    return signed_tile(kernel.mean(axis=0) * len(kernel) ** 0.5, most, str(place), chosen, 60)


def _without(way: Followed) -> str:
    """What the network does in place of convolutions."""
    if way.way.attention:
        return "It cuts the picture into tokens, which take from each other by attention."
    return (
        "Its first layer joins each number with each pixel (a perceptron), so that a thing that is "
        "moved by a pixel is another thing to it."
    )


def map_step(way: Followed, channel: int | None, at: tuple[int, int] | None) -> WayStep:
    """What the first convolution gives, and how one of its numbers comes about."""
    title = "Feature maps"
    if channel is None or at is None:
        return WayStep("maps", title, [f"There are no feature maps. {_without(way)}"], [], True)
    convolution = way.way.convolutions[0]
    maps = way.arrays[convolution.made.name]
    count, height, width = maps.shape
    strides = tuple(convolution.node.attributes.get("strides", (1, 1)))
    lines = [
        f"Each kernel is laid on every place of the picture, {_stride(strides)}; the products of "
        f"its numbers with those below it are added up. So {counted(count, 'kernel')} make "
        f"{counted(count, 'map')} of {height} × {width} numbers.",
    ]
    panels: list[Panel] = []
    equation = _equation(way, convolution, channel, at)
    if equation is not None:
        panels.append(equation)
    most = float(np.abs(maps[channel]).max())
    panels.append(Tiles(f"Map {channel}", [signed_tile(maps[channel], most, width=168)]))
    panels.append(map_tiles(f"All maps of {convolution.node.label}", maps, channel))
    panels += _further(way)
    if len(way.way.convolutions) > 1:
        lines.append(
            f"Behind it {_more(len(way.way.convolutions) - 1)} on the maps of the one before: what "
            "they answer to is larger, and less bound to a place."
        )
    return WayStep("maps", title, lines, panels)


def _more(count: int) -> str:
    return "one more convolution works" if count == 1 else f"{count} more convolutions work, each"


def _stride(strides: tuple[int, ...]) -> str:
    if set(strides) == {1}:
        return "pixel by pixel"
    return f"every {strides[0]} pixels"


def _equation(
    way: Followed, convolution: Convolution, channel: int, at: tuple[int, int]
) -> Equation | None:
    """One place's arithmetic with its actual numbers; None if the kernel is too large to read."""
    window = window_at(way, convolution, channel, at)
    kernel = way.arrays[convolution.kernels][channel]
    if max(kernel.shape[1:]) > WIDEST or kernel.size > MOST_PRODUCTS:
        return None
    products = window.patch * kernel
    bias = 0.0
    if convolution.bias:
        bias = float(way.arrays[convolution.bias][channel])
    total = float(way.arrays[convolution.made.name][channel][at])
    lines = []
    names = CHANNELS.get(len(kernel), ("",) * len(kernel))
    for place, name in enumerate(names):
        line = [
            (
                "+" if place else "",
                signed_grid(f"numbers below{name and f', {name}'}", window.patch[place], 3),
            ),
            ("×", signed_grid("kernel", kernel[place], float(np.abs(kernel).max()))),
            ("=", signed_grid("products", products[place], float(np.abs(products).max()))),
        ]
        lines.append(line)
    result = f"sum {number(float(products.sum()))}"
    if bias:
        result = f"{result} + {number(bias)} (bias) = {number(total)}"
    return Equation(
        f"Row {at[0]}, column {at[1]} of map {channel}",
        lines,
        result,
        "That is the number at this place of the map, the largest there. Where kernel and picture "
        "have the same sign, the product is above 0. Places are counted from 0.",
    )


def map_tiles(title: str, maps: np.ndarray, chosen: int | None, few: int = 0) -> Tiles:
    """Maps [c, h, w] on one scale."""
    drawn = shown(maps, chosen if chosen is not None else 0)
    if few:
        spread = maps.reshape(len(maps), -1).std(axis=1)
        drawn = sorted(np.argsort(-spread, kind="stable")[:few].tolist())
    most = float(np.abs(maps).max())
    tiles = [signed_tile(maps[place], most, str(place), place == chosen) for place in drawn]
    note = "" if len(drawn) == len(maps) else f"The {len(drawn)} liveliest of {len(maps)}."
    return Tiles(title, tiles, note)


def _further(way: Followed) -> list[Panel]:
    """Some maps of the convolution in the middle, and of the last."""
    others = way.way.convolutions[1:]
    places = sorted({len(others) // 2, len(others) - 1}) if others else []
    panels: list[Panel] = []
    for place in places:
        maps = way.arrays[others[place].made.name]
        if min(maps.shape[1:]) > 1:
            title = f"Further on: {others[place].node.label}, {maps.shape[1]} × {maps.shape[2]}"
            panels.append(map_tiles(title, maps, None, few=8))
    return panels
