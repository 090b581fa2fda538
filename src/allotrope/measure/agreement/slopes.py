"""Slopes of a function of many arrays by finite differences: what gradients must give along random directions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from allotrope.measure.agreement.arrays import Arrays
from allotrope.progress import SECONDS_BETWEEN_LINES

STEPS = (1e-5, 1e-6, 1e-7, 1e-8)
"""How far to move, in units of a weight's root mean square. Far is disturbed by curvature and by kinks, as of ReLU; near by rounding."""


@dataclass(frozen=True)
class Slope:
    """The slope along `directions`, an array for each of the arrays that move together.

    `uncertainty` is how far two estimates part, or the slopes forward and backward, as they do right on a kink; and no less than what
    the rounding of the function hides.
    """

    directions: Arrays
    value: float
    uncertainty: float

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays that move."""
        return tuple(self.directions)


def slopes_of(
    function: Callable[[Mapping[str, np.ndarray]], float], arrays: Arrays, groups: int, seed: int, say: Callable[[str], None]
) -> tuple[Slope, ...]:
    """The slopes of `function` at `arrays`, each along a random direction of neighbouring ones, in at most `groups` groups."""
    names = [name for name, array in arrays.items() if array.size]
    count = min(groups, len(names))
    parts = np.array_split(np.arange(len(names)), count) if count else []
    found, said = [], time.monotonic()
    for number, part in enumerate(parts, 1):
        random = np.random.default_rng((seed, number))
        directions = {names[i]: random.standard_normal(arrays[names[i]].shape) * _size(arrays[names[i]]) for i in part}
        found.append(_slope(function, arrays, directions))
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            say(f"slope {number} of {len(parts)}")
    return tuple(found)


def _slope(function: Callable[[Mapping[str, np.ndarray]], float], arrays: Arrays, directions: Arrays) -> Slope:
    """Central differences over ever shorter steps; the two neighbours that are surest give the value."""

    def at(distance: float) -> float:
        return function({name: arrays[name] + distance * direction for name, direction in directions.items()})

    here, estimates = at(0.0), []
    for step in STEPS:
        ahead, behind = at(step), at(-step)
        hidden = float(np.spacing(max(abs(ahead), abs(behind))))
        estimates.append(((ahead - behind) / (2 * step), max(abs(ahead - 2 * here + behind), hidden) / (2 * step)))
    pairs = [((far + near) / 2, max(abs(far - near), bend)) for (far, _), (near, bend) in pairwise(estimates)]
    value, uncertainty = min(pairs, key=lambda pair: pair[1] if math.isfinite(pair[1]) else math.inf)
    return Slope(directions, value, uncertainty)


def _size(array: np.ndarray) -> float:
    """The root mean square, 1 for zeros."""
    return float(np.sqrt(np.mean(np.square(array)))) or 1.0
