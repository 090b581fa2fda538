"""Slopes by finite differences: what gradients must give along random directions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from allotrope.measure.agreement.step_files import Arrays
from allotrope.progress import SECONDS_BETWEEN_LINES

STEPS = (1e-5, 1e-6, 1e-7, 1e-8)
"""How far to move, in units of a weight's root mean square.

Far is disturbed by curvature and by kinks, as of ReLU; near by rounding.
"""

SURE = 1e-6
"""A slope that is as sure as this part of itself needs no shorter step."""

Function = Callable[[Mapping[str, np.ndarray]], float]
"""Of some of the arrays by name; the others stay where they are."""


@dataclass(frozen=True)
class Slope:
    """The slope along `directions`, an array for each of the arrays that move together.

    `uncertainty` is how far two estimates part, or the slopes forward and backward, as they do
    right on a kink; and no less than what the rounding of the function hides.
    """

    directions: Arrays
    value: float
    uncertainty: float

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays that move."""
        return tuple(self.directions)


def slopes_of(
    function: Function, arrays: Arrays, groups: int, seed: int, say: Callable[[str], None]
) -> tuple[Slope, ...]:
    """The slopes of `function` at `arrays`, along random directions, in at most `groups` groups."""
    here = function(arrays)
    every, said = directions_of(arrays, groups, seed), time.monotonic()
    slopes = []
    for number, directions in enumerate(every, 1):
        slopes.append(slope_along(function, arrays, directions, here))
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            say(f"slope {number} of {len(every)}")
    return tuple(slopes)


def directions_of(arrays: Arrays, groups: int, seed: int) -> list[dict[str, np.ndarray]]:
    """Random directions, each of some neighbouring arrays, at most `groups`."""
    names = [name for name, array in arrays.items() if array.size]
    count = min(groups, len(names))
    every = []
    for number, part in enumerate(np.array_split(np.arange(len(names)), count) if count else [], 1):
        random = np.random.default_rng((seed, number))
        chosen = {names[i]: arrays[names[i]] for i in part}
        # In units of the array itself: a step that is small for one weight would be large for
        # another.
        every.append({n: random.standard_normal(a.shape) * _size(a) for n, a in chosen.items()})
    return every


def slope_along(function: Function, arrays: Arrays, directions: Arrays, here: float) -> Slope:
    """Central differences over ever shorter steps, until they settle; the surest two count.

    `here` is the function's value at `arrays`.
    """
    estimates: list[tuple[float, float]] = []
    best = (0.0, math.inf)
    for step in STEPS:
        ahead, behind = (moved(function, arrays, directions, x) for x in (step, -step))
        # Two numbers nearer than this are one, so that no difference of theirs is surer.
        hidden = float(np.spacing(max(abs(ahead), abs(behind))))
        # How far the slopes forward and backward part: on a kink that stays, however short the
        # step.
        bend = max(abs(ahead - 2 * here + behind), hidden) / (2 * step)
        estimates.append(((ahead - behind) / (2 * step), bend))
        if len(estimates) > 1:
            # The surest so far and not the last: ever shorter steps end in rounding.
            best = min(best, _pair(*estimates[-2:]), key=lambda pair: pair[1])
        if best[1] <= SURE * abs(best[0]):
            break
    return Slope(directions, *best)


def moved(function: Function, arrays: Arrays, directions: Arrays, distance: float) -> float:
    """The function at `arrays`, moved along `directions`."""
    return function({n: arrays[n] + distance * way for n, way in directions.items()})


def _pair(far: tuple[float, float], near: tuple[float, float]) -> tuple[float, float]:
    """The mean of two estimates, and how unsure it is: how far they part, how it bends."""
    # One estimate can be wrong and look sure; two at different steps seldom are wrong alike.
    unsure = max(abs(far[0] - near[0]), near[1])
    return (far[0] + near[0]) / 2, unsure if math.isfinite(unsure) else math.inf


def _size(array: np.ndarray) -> float:
    """The root mean square, 1 for zeros."""
    return float(np.sqrt(np.mean(np.square(array)))) or 1.0
