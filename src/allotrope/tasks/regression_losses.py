"""What a regression minimizes, of standardized values [n, k], over any primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allotrope.tasks.means import spread_over, weighted_mean


def squared(p: Any, difference: Any) -> Any:
    """d², of which the mean is the best answer."""
    return p.multiply(difference, difference)


def absolute(p: Any, difference: Any) -> Any:
    """|d|, of which the median is the best answer."""
    return p.abs(difference)


def huber(p: Any, difference: Any) -> Any:
    """d² / 2 up to one standard deviation, |d| - 1/2 beyond (Huber 1964), without branches.

    With c = min(|d|, 1) it is c (|d| - c / 2).
    """
    size = p.abs(difference)
    near = p.minimum(size, 1.0)
    return p.multiply(near, p.subtract(size, p.multiply(near, 0.5)))


REGRESSION_LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "mean-squared-error": squared,
    "mean-absolute-error": absolute,
    "huber": huber,
}


def regression_loss(p: Any, name: str, output: Any, target: Any, weight: Any | None) -> Any:
    """The weighted mean over all numbers.

    `weight`: [n], or [n, k] if single numbers are missing.
    """
    errors = REGRESSION_LOSSES[name](p, p.subtract(output, target))
    return weighted_mean(p, errors, None if weight is None else spread_over(p, weight, errors))
