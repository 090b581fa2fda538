"""Rungs: short whole trainings first, longer ones for the trials that are among the best third.

Successive halving as in ASHA (Li et al., "A system for massively parallel hyperparameter tuning",
MLSys 2020, https://arxiv.org/abs/1810.05934), over time: a trial of a rung is a training of its
own, whose schedule is as long as the rung, because half of a long schedule tells little of its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from allotrope.config import Recipe
from allotrope.tasks.metric import Metric

FACTOR = 3
"""How many times longer the next rung is, and of how many trials one reaches it."""
MOST = 3
LEAST_SECONDS = 2.0
"""A training of less tells nothing."""
LEAST_EPOCHS = 0.5


@dataclass(frozen=True)
class Rungs:
    """The lengths of trainings, the shortest first: in seconds, or in epochs if `by_epochs`."""

    lengths: tuple[float, ...]
    by_epochs: bool = False

    def recipe(self, recipe: Recipe, rung: int) -> Recipe:
        """The recipe stretched to the rung."""
        return stretched(recipe, self.lengths[rung], self.by_epochs)

    def text(self, rung: int) -> str:
        """Its length for people."""
        unit = "epochs" if self.by_epochs else "s"
        return f"{self.lengths[rung]:.3g} {unit}"

    @property
    def last(self) -> int:
        """The number of the longest."""
        return len(self.lengths) - 1


def stretched(recipe: Recipe, length: float, by_epochs: bool) -> Recipe:
    """The recipe with a schedule of this length."""
    if by_epochs:
        return replace(recipe, epochs=length, budget=None)
    return replace(recipe, budget=length)


def rungs_below(longest: float, by_epochs: bool, shortest: float = LEAST_SECONDS) -> Rungs:
    """The rungs up to the length of the final trainings; fewer if the lowest would be too short.

    `shortest`: the seconds of a training that still tells something.
    """
    least = LEAST_EPOCHS if by_epochs else shortest
    lengths = [longest / FACTOR**steps for steps in reversed(range(MOST))]
    return Rungs(tuple(length for length in lengths if length >= least) or (longest,), by_epochs)


def is_promoted(value: float, others: Sequence[float], metric: Metric) -> bool:
    """Whether a trial goes on: it is among the best third of all that finished its rung.

    `others` are the values of the others. While there are too few for a third, the best goes on.
    """
    if math.isnan(value):
        return False
    # Equal ones are all promoted: validation data of a few hundred examples has many ties.
    better = sum(metric.better(other, value) for other in others)
    return better < max((len(others) + 1) // FACTOR, 1)
