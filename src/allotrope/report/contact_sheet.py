"""A contact sheet: pictures in rows and columns, with words above and beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LEAST = 96
"""Smaller pictures are enlarged, by whole numbers, until a side has so many pixels."""
MOST = 192
GAP, MARGIN, HEAD = 6, 12, 22
INK, PAPER = (40, 40, 40), (255, 255, 255)


def contact_sheet(
    pictures: Sequence[Sequence[np.ndarray]], heads: Sequence[str], names: Sequence[str]
) -> Image.Image:
    """Rows of pictures uint8 [h, w] or [h, w, 3], with a head a column and a name a row."""
    rows = [[_sized(picture) for picture in row] for row in pictures]
    width = max(picture.width for row in rows for picture in row)
    height = max(picture.height for row in rows for picture in row)
    font = ImageFont.load_default(14)
    beside = MARGIN + max(int(font.getlength(name)) for name in names)
    size = (
        beside + MARGIN + len(heads) * (width + GAP) + MARGIN,
        HEAD + MARGIN + len(rows) * (height + GAP) + MARGIN,
    )
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        pen.text((beside + MARGIN + column * (width + GAP), MARGIN), head, INK, font)
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        top = HEAD + MARGIN + number * (height + GAP)
        pen.text((MARGIN, top + height // 2 - 8), name, INK, font)
        for column, picture in enumerate(row):
            sheet.paste(picture, (beside + MARGIN + column * (width + GAP), top))
    return sheet


def _sized(picture: np.ndarray) -> Image.Image:
    """The picture in a size that can be looked at."""
    image = Image.fromarray(np.ascontiguousarray(picture)).convert("RGB")
    side = max(image.size)
    if side > MOST:
        image.thumbnail((MOST, MOST))
        return image
    factor = -(-LEAST // side)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
