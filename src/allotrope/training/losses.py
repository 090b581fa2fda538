"""What a training minimizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from allotrope.config import Recipe
from allotrope.errors import unknown_name
from allotrope.tasks.class_losses import CLASS_LOSSES, class_weights

Loss = Callable[[Any, Any, Any], Any]
"""loss(p, logits: [n, k], target: [n, k]) -> the mean over the batch, a scalar."""


def loss(recipe: Recipe, class_counts: np.ndarray) -> Loss:
    """The loss that the recipe names. `class_counts`: [k], of the training data.

    Raises: UsageError for an unknown loss or way of weighting classes.
    """
    if recipe.loss not in CLASS_LOSSES:
        raise unknown_name("loss", recipe.loss, CLASS_LOSSES)
    compute, smoothing = CLASS_LOSSES[recipe.loss], recipe.label_smoothing
    weights = class_weights(recipe.class_weights, class_counts)

    def minimized(p: Any, logits: Any, target: Any) -> Any:
        return compute(p, logits, target, label_smoothing=smoothing, weights=weights)

    return minimized
