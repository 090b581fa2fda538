"""How long a race of settings may take, on how many examples a step, and what compiling costs."""

from __future__ import annotations

from dataclasses import dataclass

from allotrope.config import Recipe
from allotrope.data import Batches
from allotrope.network.network import Network

SHARE = 0.05
"""The part of a budget that the race may take."""
SHORTEST = 2.0
"""Seconds that it may take where there is no budget and the training itself is short."""
STEPS_FORESEEN = 24
"""How many steps of the slowest kind it needs at the least to say something of four settings."""


@dataclass(frozen=True)
class CompileCost:
    """Seconds that compiling is expected to take, and more for each node of the network."""

    seconds: float = 10.0
    seconds_per_node: float = 0.3

    def foreseen(self, network: Network) -> float:
        """Seconds for this network."""
        return self.seconds + self.seconds_per_node * len(network.graph.nodes)


@dataclass(frozen=True)
class Limits:
    """Seconds of the race and, as foreseen, of the training; `size`: examples in a step."""

    seconds: float
    training_seconds: float
    size: int

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        batches: Batches,
        per_example: float,
        seconds: float | None,
        spent: float,
    ) -> Limits:
        """From the seconds `per_example`, and those already `spent`.

        `seconds`: how long the race may take, if that was said.
        """
        training = training_seconds(recipe, batches, per_example)
        if seconds is None:
            seconds = max(SHARE * training, SHORTEST if recipe.budget is None else 0.0)
        # A fifth is left for the first steps, which are slower.
        affordable = 0.8 * (seconds - spent) / (STEPS_FORESEEN * per_example)
        return cls(seconds, training, int(min(batches.batch_size, affordable)))


def training_seconds(recipe: Recipe, batches: Batches, per_example: float) -> float:
    """What the training takes: its epochs or its budget, whichever is less; 0 if neither is set."""
    ends = []
    if recipe.epochs is not None:
        ends.append(recipe.epochs * batches.steps_per_epoch * batches.batch_size * per_example)
    if recipe.budget is not None:
        ends.append(recipe.budget)
    return min(ends, default=0.0)
