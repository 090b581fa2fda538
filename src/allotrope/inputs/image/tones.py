"""Colours changed by tables: each image has one of 256 values for each of its channels.

All take images uint8 [n, h, w, c] and give new ones of the same shape.
"""

from __future__ import annotations

import numpy as np

LEVELS = np.arange(256, dtype=np.float32)


def looked_up(images: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Images through tables uint8 [n, c, 256], or [n, 1, 256] for all channels alike."""
    n, channels = len(images), images.shape[3]
    each = np.broadcast_to(tables, (n, channels, 256))
    starts = 256 * np.arange(n * channels, dtype=np.int32).reshape(n, 1, 1, channels)
    return np.take(each.reshape(-1), images + starts)


def brightened(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Each times its factor [n]."""
    return looked_up(images, _rounded(LEVELS * factors[:, None, None]))


def contrasted(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Each apart from its own mean by its factor [n]."""
    means = images.mean(axis=(1, 2, 3), dtype=np.float32)[:, None, None]
    return looked_up(images, _rounded(means + (LEVELS - means) * factors[:, None, None]))


def posterized(images: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Only the upper `bits` [n] of each value are left."""
    masks = np.uint8(255) << (8 - bits.astype(np.uint8))
    return looked_up(images, np.arange(256, dtype=np.uint8) & masks[:, None, None])


def solarized(images: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Values from a limit [n] on are inverted."""
    over = limits[:, None, None] <= LEVELS
    return looked_up(images, np.where(over, 255 - LEVELS, LEVELS).astype(np.uint8))


def auto_contrasted(images: np.ndarray) -> np.ndarray:
    """Each channel from its darkest value, made black, to its brightest, made white."""
    low = images.min(axis=(1, 2)).astype(np.float32)[..., None]
    high = images.max(axis=(1, 2)).astype(np.float32)[..., None]
    # A channel of a single value stays as it is.
    spread = np.where(high > low, high - low, 255)
    low = np.where(high > low, low, 0)
    return looked_up(images, _rounded((LEVELS - low) * (255 / spread)))


def equalized(images: np.ndarray) -> np.ndarray:
    """Each channel with all values about equally often: black the least, white the greatest."""
    n, _, _, channels = images.shape
    starts = 256 * np.arange(n * channels, dtype=np.int32).reshape(n, 1, 1, channels)
    counts = np.bincount((images + starts).ravel(), minlength=n * channels * 256)
    counts = counts.reshape(n, channels, 256)
    below = counts.cumsum(axis=2) - counts
    # As many as are below the greatest value; a channel of a single value stays as it is.
    spread = np.where(counts > 0, below, 0).max(axis=2, keepdims=True)
    tables = below * (255 / np.maximum(spread, 1))
    return looked_up(images, _rounded(np.where(spread > 0, tables, LEVELS)))


def saturated(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Each pixel apart from its own grey by the image's factor [n]; grey ones stay as they are."""
    if images.shape[3] != 3:
        return images
    values = images.astype(np.float32)
    # The luma of ITU-R BT.601, as Pillow's "L".
    grey = (values @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return _rounded(grey + (values - grey) * factors[:, None, None, None])


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
