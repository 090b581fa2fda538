"""What a step is drawn with: pictures in rows, numbers in cells, points, rows of a table."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from allotrope.report.formatting import significant

ABOVE, BELOW = (222, 104, 26), (42, 118, 200)
"""Colours of what is above 0 and below it, seen on white and on black."""
LEAST, MOST = 72, 280
"""The sides of a picture on the page, in pixels."""
CELL = 42
"""The side of a cell with a number, in pixels."""


@dataclass(frozen=True)
class PictureTile:
    """A picture as a data URL, its width on the page, and what stands below it."""

    url: str
    width: int
    caption: str = ""
    chosen: bool = False


@dataclass(frozen=True)
class Tiles:
    """Pictures in rows."""

    title: str
    tiles: list[PictureTile]
    note: str = ""
    kind: str = "tiles"


@dataclass(frozen=True)
class NumberCell:
    """A number at a place: its colour is a style of the page, and `strength` how deep it is."""

    x: int
    y: int
    text: str
    fill: str
    strength: float
    ink: str = "ink"


@dataclass(frozen=True)
class NumberGrid:
    """Numbers in cells; `marked` is a frame x, y, width, height around some of them."""

    title: str
    cells: list[NumberCell]
    width: int
    height: int
    side: int
    marked: tuple[int, int, int, int] | None = None
    note: str = ""
    kind: str = "grid"


@dataclass(frozen=True)
class Equation:
    """Lines of grids, each behind its sign, and what comes out."""

    title: str
    lines: list[list[tuple[str, NumberGrid]]]
    result: str
    note: str = ""
    kind: str = "equation"


@dataclass(frozen=True)
class TableRow:
    """Cells, and a bar of a share from 0 to 1."""

    cells: tuple[str, ...]
    share: float
    chosen: bool = False
    below: bool = False


@dataclass(frozen=True)
class Bars:
    """A table whose last column is a bar."""

    title: str
    head: tuple[str, ...]
    rows: list[TableRow]
    note: str = ""
    kind: str = "bars"


@dataclass(frozen=True)
class Points:
    """Points in a square: what went in along x, what came out along y."""

    title: str
    points: list[tuple[float, float]]
    zero: tuple[float, float]
    ends: tuple[str, str, str, str]
    note: str = ""
    side: int = 240
    kind: str = "points"


Panel = Tiles | NumberGrid | Equation | Bars | Points


@dataclass(frozen=True)
class WayStep:
    """A step of the way. `lacking` says why the network has none, and then there are no panels."""

    name: str
    title: str
    lines: list[str]
    panels: list[Panel] = field(default_factory=list)
    lacking: bool = False


def signed_tile(
    values: np.ndarray, most: float, caption: str = "", chosen: bool = False, width: int = 0
) -> PictureTile:
    """Numbers [h, w]: colourless at 0, the deeper the nearer to `most` on either side of it."""
    share = np.clip(np.abs(values) / (most or 1.0), 0, 1)
    colours = np.where((values >= 0)[..., None], np.array(ABOVE), np.array(BELOW))
    pixels = np.concatenate([colours, np.rint(255 * share)[..., None]], axis=-1)
    return _tile(pixels.astype(np.uint8), caption, chosen, width)


def plain_tile(picture: np.ndarray, caption: str = "", width: int = 0) -> PictureTile:
    """A picture uint8 [h, w, c] as it is."""
    return _tile(picture[..., 0] if picture.shape[-1] == 1 else picture, caption, False, width)


def _tile(pixels: np.ndarray, caption: str, chosen: bool, width: int) -> PictureTile:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", optimize=True)
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    side = max(pixels.shape[:2])
    # By whole numbers, so that every pixel of a small picture is a square of one size.
    own = min(max(side, -(-LEAST // side) * side), MOST) * pixels.shape[1] // side
    return PictureTile(url, width or own, caption, chosen)


def signed_grid(title: str, values: np.ndarray, most: float, note: str = "") -> NumberGrid:
    """Numbers [h, w] in cells, coloured as in `signed_tile`."""
    cells = [
        NumberCell(
            column * CELL,
            row * CELL,
            short(float(value)),
            "positive" if value >= 0 else "negative",
            round(0.6 * min(abs(float(value)) / (most or 1.0), 1.0), 3),
        )
        for (row, column), value in np.ndenumerate(values)
    ]
    height, width = values.shape
    return NumberGrid(title, cells, CELL * width, CELL * height, CELL, note=note)


def pixel_grid(
    title: str, pixels: np.ndarray, frame: Sequence[int] | None, note: str
) -> NumberGrid:
    """Pixels uint8 [h, w] as their numbers over their greys; `frame` is top, left and side."""
    side = 24
    cells = [
        NumberCell(
            column * side,
            row * side,
            str(value),
            f"rgb({value},{value},{value})",
            1.0,
            "on-dark" if value < 128 else "on-light",
        )
        for (row, column), value in np.ndenumerate(pixels)
    ]
    marked = None
    if frame is not None:
        top, left, tall, wide = frame
        marked = (left * side, top * side, wide * side, tall * side)
    height, width = pixels.shape
    return NumberGrid(title, cells, side * width, side * height, side, marked, note)


def short(value: float) -> str:
    """A number that fits into a cell."""
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 100:
        return f"{value:.0f}".replace("-", "−")
    if size >= 10:
        return f"{value:.1f}".replace("-", "−")
    text = f"{value:.2f}" if size >= 0.005 else "≈0"
    return text.replace("-", "−")


def number(value: float) -> str:
    """A number in a sentence."""
    return significant(value, 4).replace("-", "−")
