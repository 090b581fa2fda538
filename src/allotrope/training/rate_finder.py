"""The learning rate at which the loss falls fastest, found by steps at rates that rise.

Smith 2017 (https://arxiv.org/abs/1506.01186), section 3.3: one short training whose rate grows by
a constant factor from step to step until the loss blows up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.data import Batches, Data
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch
from allotrope.network.network import Network
from allotrope.tasks.agreeing_halves import doubled
from allotrope.training.learner import trainer_for

STEPS = 100
BELOW, ABOVE = 1e-4, 1e2
"""From which to which part of the recipe's rate it rises."""
BLOWN_UP = 4.0
"""So many times the least loss is the end."""
SMOOTHING = 0.9
"""The decay of the moving mean of losses, which is corrected for its start."""


@dataclass(frozen=True)
class RateCurve:
    """Losses by rate, smoothed, and the rate at which they fall fastest."""

    rates: list[float]
    losses: list[float]
    chosen: float


def found_rate(
    network: Network, data: Data, recipe: Recipe, settings: Settings, framework: str
) -> RateCurve:
    """The rate for this network, data and recipe: the same weights and batches give the same.

    If no loss falls, the recipe's own rate.
    """
    trainer = trainer_for(find_framework(framework), network, data, recipe, settings)
    growth = (ABOVE / BELOW) ** (1 / (STEPS - 1))
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    for step, batch in enumerate(_batches(data, recipe), 1):
        rate = recipe.learning_rate * BELOW * growth ** (step - 1)
        mean = SMOOTHING * mean + (1 - SMOOTHING) * float(trainer.step(batch, rate, step))
        smooth = mean / (1 - SMOOTHING**step)
        if not math.isfinite(smooth) or (losses and smooth > BLOWN_UP * min(losses)):
            break
        rates.append(rate)
        losses.append(smooth)
    return RateCurve(rates, losses, steepest(rates, losses, recipe.learning_rate))


def _batches(data: Data, recipe: Recipe) -> Iterator[Batch]:
    batches = Batches(data, recipe)

    def endless() -> Iterator[Batch]:
        for epoch in count():
            with closing(batches.epoch(epoch)) as ahead:
                yield from ahead

    for batch in islice(endless(), STEPS):
        yield doubled(batch) if recipe.r_drop else batch


def steepest(rates: list[float], losses: list[float], usual: float) -> float:
    """The rate of the steepest fall over the logarithm of the rate, before the least loss."""
    least = int(np.argmin(losses)) + 1 if losses else 0
    if least < 3:
        return usual
    slopes = np.gradient(losses[:least], np.log(rates[:least]))
    place = int(np.argmin(slopes))
    return rates[place] if slopes[place] < 0 else usual
