"""Maps of what spoke for an answer, laid over the pictures of examples."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from allotrope.inputs.contract import Input
from allotrope.inputs.stretch import stretched

AREA = 144**2
"""Pixels of a panel, if the picture has fewer."""
GAP = 6
OPAQUE = 0.7
"""How much the strongest place covers of the picture."""
WEAK, STRONG = (255, 70, 0), (255, 235, 60)
"""Colours that stand out of grey pictures and of most others: from orange to yellow."""


def warm(heat: np.ndarray) -> np.ndarray:
    """What is above 0 of a map, from 0 to 1 at its strongest; all 0 if nothing is."""
    positive = np.maximum(heat, 0)
    # Each map by its own strongest place: how much speaks for an answer is not compared.
    strongest = positive.max()
    return np.asarray(positive / strongest if strongest > 0 else positive)


def laid_over(kind: Input, x: np.ndarray, maps: Sequence[np.ndarray]) -> bytes | None:
    """A PNG file of one raw example, by itself and under each map of its places.

    None for an input of which there are no pictures.
    """
    layers = [pair for each in maps if (pair := kind.under(x, warm(each))) is not None]
    if not layers:
        return None
    return panels([(layers[0][0], None), *layers])


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
    # By whole numbers, so that every pixel of a small picture stays a square.
    times = max(1, round(math.sqrt(AREA / (height * width))))
    size = width * times, height * times
    base = Image.fromarray(picture).convert("RGB").resize(size, Image.Resampling.NEAREST)
    if heat is None:
        return base
    smooth = stretched(heat, (size[1], size[0]))[..., None]
    colour = np.array(WEAK) * (1 - smooth) + np.array(STRONG) * smooth
    mixed = np.asarray(base) * (1 - OPAQUE * smooth) + colour * OPAQUE * smooth
    return Image.fromarray(np.rint(mixed).astype(np.uint8))
