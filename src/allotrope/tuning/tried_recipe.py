"""What settings make of the default recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from allotrope.config import Recipe

SIZES = ("width", "depth")
"""Settings of the network, not of the recipe."""
FACTORS = ("learning_rate", "weight_decay", "batch_size")
LEAST_BATCH = 4
BY_ROOT = ("adam", "adamw", "rmsprop")
"""These take steps of a size of their own: the learning rate grows with the root of the batch."""
NESTEROV_RATE, NESTEROV_BATCH = 0.1, 128
"""Where the default has another optimizer: the rate of residual networks, by their batch."""


def tried_recipe(default: Recipe, chosen: Mapping[str, Any], examples: int) -> Recipe:
    """The recipe of a trial; with nothing chosen the default. `examples` are those of training."""
    recipe = _with_optimizer(default, chosen.get("optimizer", default.optimizer))
    others = (*FACTORS, *SIZES, "optimizer", "mixup")
    recipe = replace(recipe, **{name: x for name, x in chosen.items() if name not in others})
    # 0 leaves it to the augmentation, of which the strongest mixes.
    if chosen.get("mixup"):
        recipe = replace(recipe, mixup=chosen["mixup"])
    recipe = _scaled(recipe, chosen, examples)
    # What somebody asked for is not in the space, and no other setting may change it.
    asked = [name for name in FACTORS if name not in chosen]
    return replace(recipe, **{name: getattr(default, name) for name in asked})


def _with_optimizer(recipe: Recipe, name: str) -> Recipe:
    """The recipe with another optimizer, and the rate and decay that are usual with it."""
    if name == recipe.optimizer:
        return recipe
    if name == "adamw":
        return replace(
            recipe,
            optimizer=name,
            learning_rate=4e-3,
            weight_decay=0.02,
            decay_kind="decoupled",
            momentum=0.9,
            beta2=0.99,
            bias_scale=1.0,
        )
    return replace(
        recipe,
        optimizer=name,
        learning_rate=NESTEROV_RATE * recipe.batch_size / NESTEROV_BATCH,
        weight_decay=5e-4,
        decay_kind="l2",
        momentum=0.9,
    )


def _scaled(recipe: Recipe, chosen: Mapping[str, Any], examples: int) -> Recipe:
    """Batch, rate and decay times their factors; the rate goes with the batch besides."""
    asked = round(recipe.batch_size * chosen.get("batch_size", 1.0))
    batch = min(asked, max(examples, LEAST_BATCH))
    # So that a factor of the rate means the same with every batch.
    grown = batch / recipe.batch_size
    if recipe.optimizer in BY_ROOT:
        grown = math.sqrt(grown)
    return replace(
        recipe,
        batch_size=batch,
        learning_rate=recipe.learning_rate * grown * chosen.get("learning_rate", 1.0),
        weight_decay=recipe.weight_decay * chosen.get("weight_decay", 1.0),
    )
