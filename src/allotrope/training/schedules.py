"""The learning rate by progress, each schedule with a linear warm-up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from allotrope.config import Recipe
from allotrope.errors import unknown_name
from allotrope.recipe_choices import SCHEDULES

TAIL = 0.75
"""The progress from which on stochastic weight averaging holds the rate, as in its paper."""
LEAST_END = 0.01
"""An exponential ends at this fraction if the recipe ends at 0, where none ever comes."""
FLAT = 0.75
"""flat-cosine falls in the last quarter, as in fastai's fit_flat_cos."""
CYCLES = 4
"""Of coslog4 (Holzmüller et al. 2024, https://arxiv.org/abs/2407.04491)."""


def learning_rate(recipe: Recipe, progress: float, plateaus: int = 0) -> float:
    """The learning rate at `progress` in [0, 1]: a linear warm-up, then the schedule.

    `plateaus`: how often the validation stood still so far, for the schedule that falls then.

    Raises: UsageError for an unknown schedule.
    """
    if recipe.schedule not in _AFTER_WARMUP:
        raise unknown_name("schedule", recipe.schedule, SCHEDULES)
    progress = min(max(progress, 0.0), 1.0)
    if recipe.swa:
        # The weights wander about one place, and their mean is what is delivered.
        progress = min(progress, TAIL)
    if progress < recipe.warmup:
        return recipe.learning_rate * (
            recipe.start_fraction + (1 - recipe.start_fraction) * progress / recipe.warmup
        )
    if recipe.schedule == "plateau":
        return recipe.learning_rate * _fallen(recipe, plateaus)
    return recipe.learning_rate * _AFTER_WARMUP[recipe.schedule](recipe, progress)


def plateaus(standings: Iterable[tuple[float, ...]], patience: int) -> int:
    """How often there were more than `patience` validations in a row that were not the best.

    `standings` order validations, the best highest. As torch's ReduceLROnPlateau counts.
    """
    best, waited, count = None, 0, 0
    for standing in standings:
        if best is None or standing > best:
            best, waited = standing, 0
            continue
        waited += 1
        if waited > patience:
            count, waited = count + 1, 0
    return count


def _constant(recipe: Recipe, progress: float) -> float:
    return 1.0


def _step(recipe: Recipe, progress: float) -> float:
    return float(recipe.step_factor ** sum(progress >= at for at in recipe.step_at))


def _exponential(recipe: Recipe, progress: float) -> float:
    end = recipe.final_fraction or LEAST_END
    return float(end ** _after_warmup(recipe, progress))


def _polynomial(recipe: Recipe, progress: float) -> float:
    return _between(recipe, (1 - _after_warmup(recipe, progress)) ** recipe.schedule_power)


def _cosine(recipe: Recipe, progress: float) -> float:
    remaining = 0.5 * (1 + math.cos(math.pi * _after_warmup(recipe, progress)))
    return recipe.final_fraction + (1 - recipe.final_fraction) * remaining


def _cosine_restarts(recipe: Recipe, progress: float) -> float:
    """Each cosine twice as long as the one before (Loshchilov and Hutter 2017, T_mult 2)."""
    place = _after_warmup(recipe, progress) * (2**recipe.cycles - 1)
    cycle = min(int(math.log2(place + 1)), recipe.cycles - 1)
    within = (place - (2**cycle - 1)) / 2**cycle
    return _between(recipe, 0.5 * (1 + math.cos(math.pi * within)))


def _coslog(recipe: Recipe, progress: float) -> float:
    """It begins at its end and rises first: cycles that are each twice as long as the last."""
    place = math.log2(1 + (2**CYCLES - 1) * _after_warmup(recipe, progress))
    return _between(recipe, 0.5 * (1 - math.cos(2 * math.pi * place)))


def _flat_cosine(recipe: Recipe, progress: float) -> float:
    falling = max(_after_warmup(recipe, progress) - FLAT, 0.0) / (1 - FLAT)
    return _between(recipe, 0.5 * (1 + math.cos(math.pi * falling)))


def _one_cycle(recipe: Recipe, progress: float) -> float:
    return 1 + (recipe.final_fraction - 1) * _after_warmup(recipe, progress)


def _fallen(recipe: Recipe, times: float) -> float:
    return max(float(recipe.step_factor**times), recipe.final_fraction)


def _between(recipe: Recipe, remaining: float) -> float:
    """From the final fraction, if 0 remains, to all."""
    return float(recipe.final_fraction + (1 - recipe.final_fraction) * remaining)


def _after_warmup(recipe: Recipe, progress: float) -> float:
    if recipe.warmup < 1:
        return (progress - recipe.warmup) / (1 - recipe.warmup)
    return 1.0


_AFTER_WARMUP: dict[str, Callable[[Recipe, float], float]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "polynomial": _polynomial,
    "cosine": _cosine,
    "cosine-restarts": _cosine_restarts,
    "one-cycle": _one_cycle,
    "coslog4": _coslog,
    "flat-cosine": _flat_cosine,
    "plateau": _constant,
}
