"""A recipe with what was asked for in the place of its own, the rest made to suit that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from allotrope.architectures.chosen import asked_for
from allotrope.config import Recipe
from allotrope.optimizer_options import OPTIMIZER_OPTIONS, check_options


def with_asked(recipe: Recipe, asked: Mapping[str, Any], reasons: list[str]) -> Recipe:
    """The recipe with these fields, and what suits another optimizer; `reasons` are added to.

    Raises: UsageError for an option that the optimizer does not have.
    """
    reasons += asked_for(asked)
    optimizer = asked.get("optimizer", recipe.optimizer)
    if optimizer in OPTIMIZER_OPTIONS:
        check_options(optimizer, asked)
        suited = _suited(recipe, optimizer)
        changed = {name: value for name, value in suited.items() if name not in asked}
        recipe = replace(recipe, **changed)
        if changed:
            listed = ", ".join(f"{name} {_short(value)}" for name, value in changed.items())
            reasons.append(f"For {optimizer} in the place of the usual optimizer: {listed}.")
    return replace(recipe, **asked)


def _suited(recipe: Recipe, optimizer: str) -> dict[str, Any]:
    """What another optimizer than the recipe's wants otherwise.

    Rates keep their proportion to the usual one, so that a small network or batch stays careful.
    Where decay is multiplied by the rate, it grows as the rate shrinks (Chen et al. 2023, section
    5, for Lion).
    """
    if optimizer == recipe.optimizer:
        return {}
    before, after = OPTIMIZER_OPTIONS[recipe.optimizer], OPTIMIZER_OPTIONS[optimizer]
    suited: dict[str, Any] = dict(after.usual)
    scale = after.rate / before.rate
    if scale != 1:
        suited["learning_rate"] = recipe.learning_rate * scale
    if after.decoupled and scale != 1:
        suited["weight_decay"] = recipe.weight_decay / scale
    if after.adaptive and recipe.bias_scale != 1:
        suited["bias_scale"] = 1.0
    if after.constant:
        suited |= {"schedule": "constant", "average": None}
    return suited


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
