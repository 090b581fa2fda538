"""Which values are black and white: told from how they lie, and refused if splits disagree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.errors import DataError
from allotrope.inputs.by_page import pages

SAMPLE = 4_000_000
"""Values that a distribution is judged by."""
TAIL = 0.1
"""Percent of the values at each end that may be hot pixels and the like."""
OVERSHOOT = 0.15
"""How far resizing with sharp filters may leave a range, in widths of it."""
STRAYS = 0.05
"""The share of values that may lie outside a range."""
ROUNDING = 1e-3
LEAST_USED = 1 / 8
"""A split that uses less of the training data's range than this was stored in another one."""
REMEDY = "--value-range LOW:HIGH says which values are black and white"

ValueRange = tuple[float, float]


@dataclass(frozen=True)
class Spread:
    """How values lie: the extremes, what bounds all but a tail at each end, and a sample."""

    lowest: float
    highest: float
    low: float
    high: float
    sample: np.ndarray

    @property
    def robust(self) -> ValueRange:
        """The extremes, or what bounds all but the tails if they are a width further out."""
        width = self.high - self.low
        if width <= 0:
            return self.lowest, self.highest
        if self.lowest >= self.low - width:
            low = self.lowest
        else:
            low = self.low
        if self.highest <= self.high + width:
            high = self.highest
        else:
            high = self.high
        return low, high

    def outside(self, low: float, high: float) -> float:
        """The share of values that are outside a range by more than rounding."""
        margin = ROUNDING * (high - low)
        strays = (self.sample < low - margin) | (self.sample > high + margin)
        return float(strays.mean())

    def within(self, low: float, high: float) -> bool:
        """Whether this is their range: nothing is far outside, and little is outside at all."""
        slack = OVERSHOOT * (high - low)
        reached = self.lowest >= low - slack and self.highest <= high + slack
        return reached and self.outside(low, high) <= STRAYS


def spread_of(sample: np.ndarray, lowest: float, highest: float) -> Spread:
    """The spread of values whose extremes are known and of which there is a sample [m]."""
    low, high = np.percentile(sample, (TAIL, 100 - TAIL))
    return Spread(lowest, highest, float(low), float(high), sample)


def array_spread(array: Any) -> Spread:
    """The spread of all values of an array, or of rows on disk.

    It is judged by at most SAMPLE of them and the extremes.
    """
    step = max(1, math.prod(array.shape) // SAMPLE)
    if isinstance(array, np.ndarray):
        flat = array.ravel(order="K")  # as it lies in memory: no copy of what was only turned
        sample = flat[::step].astype(np.float64)
        return spread_of(sample, float(array.min()), float(array.max()))
    taken, ends, start = [], [], 0
    for page in pages(array):
        flat = page.reshape(-1)
        # Every step-th value of all of them, wherever pages end.
        taken.append(flat[-start % step :: step].astype(np.float64))
        ends += [float(flat.min()), float(flat.max())]
        start += flat.size
    return spread_of(np.concatenate(taken), min(ends), max(ends))


def text_of(value_range: ValueRange) -> str:
    """A range as it is written behind --value-range."""
    low, high = value_range
    return f"{low:.6g}:{high:.6g}"


def stretch_range(spread: Spread) -> ValueRange:
    """The values that become black and white if these are stretched."""
    low, high = spread.robust
    if high > low:
        return low, high
    return low, low + 1


def check_agreement(name: str, spreads: Mapping[str, Spread], chosen: ValueRange) -> None:
    """Raises DataError if the values of a split do not lie as the training data's do."""
    width = chosen[1] - chosen[0]
    for split, spread in spreads.items():
        low, high = spread.robust
        used = (high - low) / width
        inside = low >= chosen[0] - width / 2 and high <= chosen[1] + width / 2
        if not inside or used < LEAST_USED:
            listed = "; ".join(
                f"{other} {text_of(other_spread.robust)}" for other, other_spread in spreads.items()
            )
            raise DataError(
                f"{name}: the values of {split} do not lie as those of train do, so that one of "
                f"them would be far too dark or too bright ({listed}). Store all in one range, or "
                f"if they are right as they are, {REMEDY} in all of them, here perhaps "
                f"{text_of(chosen)}."
            )
