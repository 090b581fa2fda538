"""A map over an example brought to a grid of other places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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
