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


def pinball(p: Any, difference: Any, quantile: float) -> Any:
    """(1 - q) d above the target, -q d below: of which the quantile q is the best answer.

    Koenker and Bassett 1978; d is output - target.
    """
    above = p.multiply(p.relu(difference), 1 - quantile)
    return p.add(above, p.multiply(p.relu(p.negative(difference)), quantile))


def poisson(p: Any, logarithm: Any, count: Any) -> Any:
    """exp(x) - count * x, of which the logarithm of the mean count is the best x.

    As torch.nn.PoissonNLLLoss without the part that no weight changes.
    """
    return p.subtract(p.exp(logarithm), p.multiply(count, logarithm))


QUANTILE, POISSON = "quantile", "poisson"
_OF_DIFFERENCES: dict[str, Callable[[Any, Any], Any]] = {
    "mean-squared-error": squared,
    "mean-absolute-error": absolute,
    "huber": huber,
}
REGRESSION_LOSSES = (*_OF_DIFFERENCES, QUANTILE, POISSON)


def regression_loss(
    p: Any, name: str, output: Any, target: Any, weight: Any | None, quantile: float = 0.5
) -> Any:
    """The weighted mean over all numbers.

    `weight`: [n], or [n, k] if single numbers are missing.
    """
    if name == POISSON:
        errors = poisson(p, output, target)
    elif name == QUANTILE:
        errors = pinball(p, p.subtract(output, target), quantile)
    else:
        errors = _OF_DIFFERENCES[name](p, p.subtract(output, target))
    return weighted_mean(p, errors, None if weight is None else spread_over(p, weight, errors))
