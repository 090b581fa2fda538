"""What the pixels of images are on average, and how far they lie apart."""

from __future__ import annotations

import numpy as np


def pixel_statistics(images: np.ndarray, limit: int = 10_000) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of images [n, h, w, c], in pixel units.

    The deviation is at least 1, so that a channel that is constant does no harm.
    """
    chosen = images[:: -(-len(images) // limit)]
    count = chosen.size // chosen.shape[3]
    mean = chosen.sum(axis=(0, 1, 2), dtype=np.float64) / count
    square = sum(
        (part.astype(np.float64) ** 2).sum(axis=(0, 1, 2))
        for part in np.array_split(chosen, -(-len(chosen) // 500))
    )
    std = np.sqrt(np.maximum(square / count - mean**2, 1.0))
    return mean.tolist(), std.tolist()
