"""What a training minimizes, written once over the primitives `p` of any framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from allotrope.config import Recipe
from allotrope.errors import unknown_name

Loss = Callable[[Any, Any, Any], Any]
"""loss(p, logits: [n, k], target: [n, k]) -> the mean over the batch, an array without dimensions."""

CLASS_WEIGHTS = ("none", "balanced")


def loss(recipe: Recipe, class_counts: np.ndarray) -> Loss:
    """The loss that the recipe names. `class_counts`: [k], how often each class occurs in the training data.

    Raises: UsageError for an unknown loss or way of weighting classes.
    """
    if recipe.loss not in LOSSES:
        raise unknown_name("loss", recipe.loss, LOSSES)
    return LOSSES[recipe.loss](recipe.label_smoothing, class_weights(recipe.class_weights, class_counts))


def class_weights(kind: str, counts: np.ndarray) -> np.ndarray | None:
    """How much each class counts: `balanced` gives every class the same sum, so that the mean over the data stays 1; `none` gives None.

    `counts`: [k]. A class without images gets 0. Raises: UsageError for an unknown kind.
    """
    if kind not in CLASS_WEIGHTS:
        raise unknown_name("class weighting", kind, CLASS_WEIGHTS)
    if kind == "none":
        return None
    present = counts > 0
    weights = np.asarray(counts.sum() / (present.sum() * np.maximum(counts, 1)) * present, np.float32)
    weights.flags.writeable = False  # frameworks keep constants that cannot change
    return weights


def cross_entropy(label_smoothing: float = 0.0, weights: np.ndarray | None = None) -> Loss:
    """Cross-entropy of softmax(logits) with soft targets: the batch mean of -sum_k weight_k target_k log softmax(logits)_k."""

    def compute(p: Any, logits: Any, target: Any) -> Any:
        weighted = _weighted(p, _smooth(p, target, label_smoothing), weights)
        return p.negative(p.mean(p.sum(p.multiply(weighted, p.log_softmax(logits, -1)), (-1,))))

    return compute


def mean_squared_error(label_smoothing: float = 0.0, weights: np.ndarray | None = None) -> Loss:
    """The mean of (softmax(logits) - target)², over the batch and classes: on probabilities, because they are what is delivered.

    Class weights act on whole images: each is weighted by sum_k weight_k target_k.
    """

    def compute(p: Any, logits: Any, target: Any) -> Any:
        target = _smooth(p, target, label_smoothing)
        difference = p.subtract(p.softmax(logits, -1), target)
        errors = p.mean(p.multiply(difference, difference), (-1,))
        if weights is not None:
            errors = p.multiply(errors, p.sum(_weighted(p, target, weights), (-1,)))
        return p.mean(errors)

    return compute


def _smooth(p: Any, target: Any, label_smoothing: float) -> Any:
    """Takes `label_smoothing` of each target and spreads it over all classes, the true one included."""
    if not label_smoothing:
        return target
    return p.add(p.multiply(target, 1 - label_smoothing), label_smoothing / p.shape(target)[-1])


def _weighted(p: Any, target: Any, weights: np.ndarray | None) -> Any:
    return target if weights is None else p.multiply(target, p.cast(p.constant(weights), p.dtype(target)))


LOSSES: dict[str, Callable[[float, np.ndarray | None], Loss]] = {
    "cross-entropy": cross_entropy,
    "mean-squared-error": mean_squared_error,
}
