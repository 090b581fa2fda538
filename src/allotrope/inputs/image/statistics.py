"""What the pixels of images are on average, and how far they lie apart."""

from __future__ import annotations

import numpy as np

from allotrope.inputs.by_page import pages

AT_ONCE = 4_000_000
"""Bytes of pixels at a time, of which the squares take eight times as much."""


def pixel_statistics(images: np.ndarray, limit: int = 10_000) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of images [n, h, w, c], in pixel units.

    The deviation is at least 1, so that a channel that is constant does no harm.
    """
    channels = images.shape[3]
    count, total, square = 0, np.zeros(channels), np.zeros(channels)
    # Sums of whole numbers are exact in float64, in whatever parts they are taken.
    for part in pages(images, every=-(-len(images) // limit), size=AT_ONCE):
        count += part.size // channels
        total += part.sum(axis=(0, 1, 2), dtype=np.float64)
        square += (part.astype(np.float64) ** 2).sum(axis=(0, 1, 2))
    mean = total / count
    std = np.sqrt(np.maximum(square / count - mean**2, 1.0))
    return mean.tolist(), std.tolist()
