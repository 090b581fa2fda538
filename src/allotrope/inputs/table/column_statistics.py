"""What the features of a table are made by, taken from its training rows alone.

Numbers are scaled robustly and clipped smoothly, as RealMLP does (Holzmüller, Grinsztajn and
Steinwart, "Better by default", NeurIPS 2024, https://arxiv.org/abs/2407.04491, section 3): with
median m and quartiles q1, q3, z = (x - m) / (q3 - q1), then z / sqrt(1 + (z / 3)²), so that a
number a thousand deviations away is still only 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotrope.inputs.table.date_cycles import periods_of

SMOOTH = 3.0
"""What the smooth clipping never exceeds."""
LARGEST = 1e6
"""What is clipped before, so that no square overflows in float32."""
MOST_LEVELS = 200
"""So many categories of a column have features of their own, the most frequent."""
LEAST_ROWS = 2
"""A category of fewer training rows has none: what a single row says is noise."""


@dataclass(frozen=True)
class ColumnStatistics:
    """What the features of one column are made by.

    `center` and `scale` of numbers; whether some are `missing`; the `levels` of codes, and the
    `periods` in days that dates go through.
    """

    center: float
    scale: float
    missing: bool
    levels: tuple[int, ...] = ()
    periods: tuple[float, ...] = ()


def statistics_of(column: np.ndarray, coded: bool, dated: bool) -> ColumnStatistics:
    """The statistics of a column [n], NaN if something is missing; of codes, or of dates."""
    gaps = np.isnan(column)
    center, scale = robust_statistics(column[~gaps])
    levels = known_levels(column) if coded else ()
    periods = periods_of(column[~gaps]) if dated else ()
    return ColumnStatistics(center, scale, bool(gaps.any()), levels, periods)


def robust_statistics(known: np.ndarray) -> tuple[float, float]:
    """Median and scale of numbers [n].

    The scale is 1 / (q3 - q1); 2 / (highest - lowest) if more than half of the numbers are equal;
    0 of a constant column, which tells nothing.
    """
    if not len(known):
        return 0.0, 0.0
    quantiles = np.quantile(known.astype(np.float64), (0, 0.25, 0.5, 0.75, 1))
    low, q1, center, q3, high = quantiles.tolist()
    if q3 > q1:
        return center, 1 / (q3 - q1)
    return center, 2 / (high - low) if high > low else 0.0


def known_levels(codes: np.ndarray) -> tuple[int, ...]:
    """The codes that are frequent enough to learn from; 0, which stands for the rest, is none."""
    values, counts = np.unique(codes[codes > 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    frequent = [int(values[at]) for at in order if counts[at] >= LEAST_ROWS]
    return tuple(sorted(frequent))
