"""Constant, step, cosine and one-cycle: the learning rate by progress, each with warm-up."""

from __future__ import annotations

import math
from collections.abc import Callable

from allotrope.config import Recipe
from allotrope.errors import unknown_name
from allotrope.recipe_choices import SCHEDULES


def learning_rate(recipe: Recipe, progress: float) -> float:
    """The learning rate at `progress` in [0, 1]: a linear warm-up, then the schedule.

    Raises: UsageError for an unknown schedule.
    """
    if recipe.schedule not in _AFTER_WARMUP:
        raise unknown_name("schedule", recipe.schedule, SCHEDULES)
    progress = min(max(progress, 0.0), 1.0)
    if progress < recipe.warmup:
        return recipe.learning_rate * (
            recipe.start_fraction + (1 - recipe.start_fraction) * progress / recipe.warmup
        )
    return recipe.learning_rate * _AFTER_WARMUP[recipe.schedule](recipe, progress)


def _constant(recipe: Recipe, progress: float) -> float:
    return 1.0


def _step(recipe: Recipe, progress: float) -> float:
    return float(recipe.step_factor ** sum(progress >= at for at in recipe.step_at))


def _cosine(recipe: Recipe, progress: float) -> float:
    remaining = 0.5 * (1 + math.cos(math.pi * _after_warmup(recipe, progress)))
    return recipe.final_fraction + (1 - recipe.final_fraction) * remaining


def _one_cycle(recipe: Recipe, progress: float) -> float:
    return 1 + (recipe.final_fraction - 1) * _after_warmup(recipe, progress)


def _after_warmup(recipe: Recipe, progress: float) -> float:
    if recipe.warmup < 1:
        return (progress - recipe.warmup) / (1 - recipe.warmup)
    return 1.0


_AFTER_WARMUP: dict[str, Callable[[Recipe, float], float]] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "one-cycle": _one_cycle,
}
