"""What a multilabel task minimizes, over the primitives of any framework."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allotrope.tasks.margin_losses import hinge, squared_hinge
from allotrope.tasks.means import spread_over, weighted_mean


def binary_cross_entropy(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    balance: NDArray[np.float32] | None = None,
) -> Any:
    """Cross-entropy of sigmoid(logits) with targets, both [n, k]: the mean over all flags.

    For a logit x and a target t it is t log(1 + exp(-x)) + (1 - t) log(1 + exp(x)), which neither
    overflows nor loses small differences. `balance`: [2, k], what a flag that is set and one that
    is not count.
    """
    there = p.multiply(target, p.softplus(p.negative(logits)))
    not_there = p.multiply(p.add(p.negative(target), 1.0), p.softplus(logits))
    return _mean(p, there, not_there, weight, balance)


def focal_binary_cross_entropy(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    balance: NDArray[np.float32] | None = None,
) -> Any:
    """As `binary_cross_entropy`, each part by the square of the other's probability.

    Flags that are nearly right count little: Lin et al. 2017, with the exponent that they found
    best.
    """
    off, on = p.sigmoid(p.negative(logits)), p.sigmoid(logits)
    there = p.multiply(target, p.multiply(p.multiply(off, off), p.softplus(p.negative(logits))))
    absent = p.add(p.negative(target), 1.0)
    not_there = p.multiply(absent, p.multiply(p.multiply(on, on), p.softplus(logits)))
    return _mean(p, there, not_there, weight, balance)


def margin_of_flags(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    balance: NDArray[np.float32] | None = None,
    short: Callable[[Any, Any, Any], Any] = hinge,
) -> Any:
    """What each logit is short of a margin of 1, on the side of its flag: the mean over all."""
    each = short(p, logits, target)
    absent = p.add(p.negative(target), 1.0)
    return _mean(p, p.multiply(target, each), p.multiply(absent, each), weight, balance)


FLAG_LOSSES: dict[str, Callable[..., Any]] = {
    "binary-cross-entropy": binary_cross_entropy,
    "focal": focal_binary_cross_entropy,
    "hinge": margin_of_flags,
    "squared-hinge": partial(margin_of_flags, short=squared_hinge),
}


def _mean(
    p: Any,
    there: Any,
    not_there: Any,
    weight: Any | None,
    balance: NDArray[np.float32] | None,
) -> Any:
    """The mean of what set and unset flags cost, [n, k], each counted by its balance."""
    if balance is not None:
        dtype = p.dtype(there)
        there = p.multiply(there, p.cast(p.constant(balance[0]), dtype))
        not_there = p.multiply(not_there, p.cast(p.constant(balance[1]), dtype))
    losses = p.add(there, not_there)
    return weighted_mean(p, losses, None if weight is None else spread_over(p, weight, losses))


def balanced(flags: NDArray[np.float64]) -> NDArray[np.float32]:
    """What a set and an unset flag count, [2, k], so that each has half of a label's sum.

    `flags`: [n, k] of 0 and 1, NaN if missing.
    """
    known = (~np.isnan(flags)).sum(axis=0)
    there = np.nansum(flags, axis=0)
    counts = np.stack([there, known - there])
    return np.asarray(known / (2 * np.maximum(counts, 1)), np.float32)
