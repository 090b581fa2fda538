"""Finds images that show nothing: all black, all white, wholly transparent."""

from __future__ import annotations

import numpy as np


def blank_rows(images: np.ndarray) -> np.ndarray:
    """The rows [m] of images [n, h, w, c] that are of a single value; single pixels always are."""
    flat = images.reshape(len(images), -1)
    if not len(flat) or flat.shape[1] < 2:
        return np.empty(0, np.int64)
    return np.flatnonzero(flat.min(1) == flat.max(1))
