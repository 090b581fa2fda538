"""Scales of a chart: from a number to a place, and the ticks that people expect on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class AxisTick:
    """A mark on an axis: where, and what is written there."""

    place: float
    label: str


@dataclass(frozen=True)
class AxisScale:
    """Takes low..high to start..end in pixels, evenly or, where `logarithmic`, evenly in ratios.

    What lies outside goes to the nearer end.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place of `value`, in pixels to one decimal."""
        low, high, number = self.low, self.high, value
        if self.logarithmic:
            low, high, number = (math.log(max(part, 1e-300)) for part in (low, high, number))
        share = min(1.0, max(0.0, (number - low) / (high - low)))
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int = 6, factor: float = 1.0, unit: str = "") -> list[AxisTick]:
        """At most `most` ticks at round numbers, written in units of 1/factor."""
        values = []
        if self.logarithmic:
            values = self._ratios(most)
        if len(values) < 2:
            return self._even(most, factor, unit)
        return [AxisTick(self(value), f"{value * factor:g}{unit}") for value in values]

    def _ratios(self, most: int) -> list[float]:
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for digits in ((1, 2, 5), (1, 3), (1,)):
            values = [digit * 10.0**exponent for exponent in exponents for digit in digits]
            inside = [
                value
                for value in values
                if self.low <= value * (1 + 1e-9) and value <= self.high * (1 + 1e-9)
            ]
            if len(inside) <= most:
                return inside
        return inside[:: math.ceil(len(inside) / most)]

    def _even(self, most: int, factor: float, unit: str) -> list[AxisTick]:
        step = _round_step((self.high - self.low) / max(1, most - 1))
        decimals = max(0, -math.floor(math.log10(step * factor) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [
            AxisTick(self(number * step), f"{number * step * factor:.{decimals}f}{unit}")
            for number in range(first, last + 1)
        ]


def spanning(
    values: Sequence[float],
    start: float,
    end: float,
    *,
    logarithmic: bool = False,
    margin: float = 0.06,
) -> AxisScale:
    """The scale from start to end that holds all `values`.

    It has a margin at both ends, as a share of the range.
    """
    low, high = min(values), max(values)
    if logarithmic:
        # A single value has no range: it stands in the middle of a factor of four.
        least = 2.0
        if high > low:
            least = 1.05
        reach = max((high / low) ** margin, least)
        return AxisScale(low / reach, high * reach, start, end, True)
    reach = (high - low) * margin or abs(high) * 0.1 or 1.0
    return AxisScale(low - reach, high + reach, start, end)


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * (1 - 1e-9))
