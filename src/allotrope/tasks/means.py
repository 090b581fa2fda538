"""Means over the examples that have a label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-12
"""What the sum of weights is at least, so that a batch without any label has a loss of 0."""


def weighted_mean(p: Any, losses: Any, weight: Any | None) -> Any:
    """The mean of losses [n] or [n, k] over primitives, each counted by its weight; a scalar.

    `weight`: of the shape of `losses`, or None, which counts each once.
    """
    if weight is None:
        return p.mean(losses)
    total = p.maximum(p.sum(weight), SMALLEST)
    return p.divide(p.sum(p.multiply(losses, weight)), total)


def spread_over(p: Any, weight: Any, like: Any) -> Any:
    """Weights [n] or [n, k] for each number of `like` [n, k]."""
    if len(p.shape(weight)) == 1:
        weight = p.reshape(weight, (-1, 1))
    return p.broadcast_to(weight, p.shape(like))


def labelled(labels: NDArray[Any]) -> int:
    """How many examples have a label, or one of several."""
    return int(np.count_nonzero(~missing(labels).reshape(len(labels), -1).all(axis=1)))


def missing(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which labels are missing: NaN in floats, below 0 in codes and flags."""
    if labels.dtype.kind == "f":
        return np.isnan(labels)
    if labels.dtype.kind == "i":
        return np.asarray(labels < 0)
    return np.zeros(labels.shape, np.bool_)
