"""What the features of a table are made by, taken from its training rows alone.

Numbers are scaled robustly and clipped smoothly, as RealMLP does (Holzmüller, Grinsztajn and
Steinwart, "Better by default", NeurIPS 2024, https://arxiv.org/abs/2407.04491, section 3): with
median m and quartiles q1, q3, z = (x - m) / (q3 - q1), then z / sqrt(1 + (z / 3)²), so that a
number a thousand deviations away is still only 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMOOTH = 3.0
"""What the smooth clipping never exceeds."""
LARGEST = 1e6
"""What is clipped before, so that no square overflows in float32."""
MOST_LEVELS = 200
"""So many categories of a column have features of their own, the most frequent."""
LEAST_ROWS = 2
"""A category of fewer training rows has none: what a single row says is noise."""


def robust_statistics(x: np.ndarray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and scale of each column of x [n, k], without what is missing.

    The scale is 1 / (q3 - q1); 2 / (highest - lowest) if more than half of the numbers are equal;
    0 of a constant column, which tells nothing.
    """
    center, scale = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for place, column in enumerate(x.T):
        known = column[~np.isnan(column)].astype(np.float64)
        if not len(known):
            continue
        low, q1, center[place], q3, high = np.quantile(known, (0, 0.25, 0.5, 0.75, 1))
        if q3 > q1:
            scale[place] = 1 / (q3 - q1)
        elif high > low:
            scale[place] = 2 / (high - low)
    return center, scale


def known_levels(codes: np.ndarray) -> tuple[int, ...]:
    """The codes that are frequent enough to learn from; 0, which stands for the rest, is none."""
    values, counts = np.unique(codes[codes > 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    frequent = [int(values[at]) for at in order if counts[at] >= LEAST_ROWS]
    return tuple(sorted(frequent))
