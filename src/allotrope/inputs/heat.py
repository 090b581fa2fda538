"""Maps of what spoke for an answer, laid over the pictures of examples."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

SIDE = 144
"""Pixels of the longer side of a panel, if the picture is smaller."""
GAP = 6
OPAQUE = 0.7
"""How much the strongest place covers of the picture."""
WEAK, STRONG = (255, 70, 0), (255, 235, 60)
"""Colours that stand out of grey pictures and of most others: from orange to yellow."""


def stretched(heat: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A map [...] on a grid of this shape over the same extent, linear between its places."""
    for axis, wanted in enumerate(shape):
        heat = np.moveaxis(_along_first(np.moveaxis(heat, axis, 0), wanted), 0, axis)
    return heat


def _along_first(heat: np.ndarray, wanted: int) -> np.ndarray:
    count = len(heat)
    # Middles of the wanted places among the middles of those that there are.
    at = np.clip((np.arange(wanted) + 0.5) * count / wanted - 0.5, 0, count - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, count - 1)
    part = (at - low).reshape(-1, *[1] * (heat.ndim - 1))
    return np.asarray(heat[low] * (1 - part) + heat[high] * part)


def warm(heat: np.ndarray) -> np.ndarray:
    """What is above 0 of a map, from 0 to 1 at its strongest; all 0 if nothing is."""
    positive = np.maximum(heat, 0)
    strongest = positive.max()
    return np.asarray(positive / strongest if strongest > 0 else positive)


def panels(pictures: Sequence[tuple[np.ndarray, np.ndarray | None]]) -> bytes:
    """A PNG file with pictures uint8 [h, w] or [h, w, 3] beside each other.

    Each with its map [h, w] from 0 to 1 laid over it, if it has one.
    """
    parts = [_panel(picture, heat) for picture, heat in pictures]
    width = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    whole, left = Image.new("RGBA", (width, max(part.height for part in parts))), 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width + GAP
    file = io.BytesIO()
    whole.save(file, "PNG", optimize=True)
    return file.getvalue()


def _panel(picture: np.ndarray, heat: np.ndarray | None) -> Image.Image:
    height, width = picture.shape[:2]
    times = max(1, SIDE // max(height, width))
    size = width * times, height * times
    base = Image.fromarray(picture).convert("RGB").resize(size, Image.Resampling.NEAREST)
    if heat is None:
        return base
    smooth = stretched(heat, (size[1], size[0]))[..., None]
    colour = np.array(WEAK) * (1 - smooth) + np.array(STRONG) * smooth
    mixed = np.asarray(base) * (1 - OPAQUE * smooth) + colour * OPAQUE * smooth
    return Image.fromarray(np.rint(mixed).astype(np.uint8))
