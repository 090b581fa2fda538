"""Finds images that show nothing: all black, all white, wholly transparent."""

from __future__ import annotations

import numpy as np

from allotrope.inputs.by_page import pages


def blank_rows(images: np.ndarray) -> np.ndarray:
    """The rows [m] of images [n, h, w, c] that are of a single value; single pixels always are."""
    if not len(images) or np.prod(images.shape[1:]) < 2:
        return np.empty(0, np.int64)
    flat = (part.reshape(len(part), -1) for part in pages(images))
    return np.flatnonzero(np.concatenate([part.min(1) == part.max(1) for part in flat]))
