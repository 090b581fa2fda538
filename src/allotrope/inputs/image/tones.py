"""Colours changed by tables: each image has one of 256 values for each of its channels.

All take images uint8 [n, h, w, c] and give new ones of the same shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allotrope.inputs.image.warp import bands_of, parts_of

LEVELS = np.arange(256, dtype=np.float32)
GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""The luma of ITU-R BT.601, as Pillow's `L`."""


def looked_up(images: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Images through tables uint8 [n, c, 256], or [n, 1, 256] for all channels alike."""
    values = images.reshape(len(images), -1, tables.shape[1])
    result = np.empty_like(values)
    for row, channel in np.ndindex(tables.shape[:2]):
        # Python's own look-up of bytes needs no indices of 8 bytes, which NumPy's does.
        changed = values[row, :, channel].tobytes().translate(tables[row, channel].tobytes())
        result[row, :, channel] = np.frombuffer(changed, np.uint8)
    return result.reshape(images.shape)


def brightened(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Each times its factor [n]."""
    return looked_up(images, _rounded(LEVELS * factors[:, None, None]))


def contrasted(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Each apart from its own mean by its factor [n]."""
    sums = images.reshape(len(images), -1).sum(axis=1, dtype=np.uint32)
    means = (sums / images[0].size).astype(np.float32)[:, None, None]
    return looked_up(images, _rounded(means + (LEVELS - means) * factors[:, None, None]))


def posterized(images: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Only the upper `bits` [n] of each value are left."""
    masks = np.uint8(255) << (8 - bits.astype(np.uint8))
    return images & masks[:, None, None, None]


def solarized(images: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Values from a limit [n] on are inverted."""
    # At a limit of 256 no value is; limits between two values are the next one.
    least = np.minimum(np.ceil(limits), 255).astype(np.uint8)
    inverted = np.where(limits > 255, 0, 255).astype(np.uint8)
    over = images >= least[:, None, None, None]
    return images ^ (over * inverted[:, None, None, None])


def auto_contrasted(images: np.ndarray) -> np.ndarray:
    """Each channel from its darkest value, made black, to its brightest, made white."""
    low = _over_pixels(np.min, images).astype(np.float32)[..., None]
    high = _over_pixels(np.max, images).astype(np.float32)[..., None]
    # A channel of a single value stays as it is.
    spread = np.where(high > low, high - low, 255)
    low = np.where(high > low, low, 0)
    return looked_up(images, _rounded((LEVELS - low) * (255 / spread)))


def equalized(images: np.ndarray) -> np.ndarray:
    """Each channel with all values about equally often: black the least, white the greatest."""
    n, _, _, channels = images.shape
    counts = np.empty((n, channels, 256), np.int64)
    for row, channel in np.ndindex(n, channels):
        counts[row, channel] = np.bincount(images[row, ..., channel].ravel(), minlength=256)
    below = counts.cumsum(axis=2) - counts
    # As many as are below the greatest value; a channel of a single value stays as it is.
    spread = np.where(counts > 0, below, 0).max(axis=2, keepdims=True)
    tables = below * (255 / np.maximum(spread, 1))
    return looked_up(images, _rounded(np.where(spread > 0, tables, LEVELS)))


def saturated(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Each pixel apart from its own grey by the image's factor [n]; grey ones stay as they are."""
    if images.shape[3] != 3:
        return images
    factor = factors.astype(np.float32)[:, None, None]
    # Each channel's share of each channel: its own, and what it takes of the grey.
    shares = np.eye(3, dtype=np.float32) * factor + GREY[:, None] * (1 - factor)
    result = np.empty_like(images)
    for part in parts_of(images):
        for band in bands_of(images):
            values = images[part, band].astype(np.float32)
            mixed = values.reshape(len(values), -1, 3) @ shares[part]
            result[part, band] = _rounded(mixed).reshape(values.shape)
    return result


def _over_pixels(reduced: Callable[..., np.ndarray], images: np.ndarray) -> np.ndarray:
    """[n, c]: what is least or greatest in each channel."""
    n, height, width, channels = images.shape
    # Over whole rows first, which lie beside each other.
    rows = reduced(images.reshape(n, height, width * channels), axis=1)
    return reduced(rows.reshape(n, width, channels), axis=1)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Float values, which are overwritten, as uint8."""
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)
