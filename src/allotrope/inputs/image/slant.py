"""Images moved along their rows or columns: by whole pixels, or each row by another distance.

All take images uint8 [n, h, w, c] and give new ones of the same shape, with a reflected border.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from allotrope.inputs.image.warp import SUBPIXELS


def moved(images: np.ndarray, steps: np.ndarray, axis: int) -> np.ndarray:
    """Each image with what lies `steps` [n] whole pixels further along an axis, 1 or 2."""
    size = images.shape[axis]
    places = np.arange(size) + steps[:, None]
    # Reflected as often as it takes.
    places = np.abs((places + size - 1) % max(2 * size - 2, 1) - (size - 1))
    result = np.empty_like(images)
    for row, own in enumerate(places):
        np.take(images[row], own, axis - 1, out=result[row], mode="clip")
    return result


def slanted(images: np.ndarray, tangents: np.ndarray) -> np.ndarray:
    """Each row moved along itself, by the tangent [n] of its image for each row from the middle."""
    n, height, width, channels = images.shape
    steps = tangents[:, None] * (np.arange(height) - (height - 1) / 2) * SUBPIXELS
    whole, right = np.divmod(np.rint(steps).astype(np.intp), SUBPIXELS)
    border = int(np.abs(whole).max()) + 1
    padded = np.pad(images, ((0, 0), (0, 0), (border, border), (0, 0)), "reflect")
    # Every stretch of a row's length; a moved row is one of them, blended with the next.
    stretches = sliding_window_view(padded.reshape(-1), width * channels)
    starts = np.arange(n * height).reshape(n, height) * (width + 2 * border) + border + whole
    weight = right.astype(np.uint16)[..., None]
    total = np.multiply(stretches[starts * channels], SUBPIXELS - weight, dtype=np.uint16)
    total += np.multiply(stretches[(starts + 1) * channels], weight, dtype=np.uint16)
    total += np.uint16(SUBPIXELS // 2)
    total //= np.uint16(SUBPIXELS)
    return total.astype(np.uint8).reshape(images.shape)


def transposed(images: np.ndarray) -> np.ndarray:
    """Rows as columns."""
    # Pixels of several bytes as one number each: NumPy is slow where the last axis is short.
    pixels = images.view(f"V{images.shape[3]}")[..., 0]
    turned = np.ascontiguousarray(pixels.transpose(0, 2, 1))
    return turned.view(np.uint8).reshape(*turned.shape, images.shape[3])
