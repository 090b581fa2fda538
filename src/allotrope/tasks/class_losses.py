"""What a classification minimizes, written once over the primitives `p` of any framework."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from allotrope.errors import unknown_name
from allotrope.tasks.embedding_losses import EMBEDDING_LOSSES
from allotrope.tasks.margin_losses import hinge, squared_hinge
from allotrope.tasks.means import weighted_mean

CLASS_WEIGHTS = ("none", "balanced")
LOGIT_ADJUSTED = "logit-adjusted"
"""Cross-entropy of logits to which the logarithm of how frequent each class is was added.

Without these, which is how the network answers, every class counts alike (Menon et al. 2021,
https://arxiv.org/abs/2007.07314, equation 10 with a temperature of 1).
"""


def class_weights(kind: str, counts: np.ndarray) -> np.ndarray | None:
    """How much each class counts, float32 [k]; None if all count the same.

    `balanced` gives every class the same sum, so that the mean over the data stays 1.
    `counts`: [k]. A class without examples gets 0. Raises: UsageError for an unknown kind.
    """
    if kind not in CLASS_WEIGHTS:
        raise unknown_name("class weighting", kind, CLASS_WEIGHTS)
    if kind == "none":
        return None
    present = counts > 0
    balanced = counts.sum() / (present.sum() * np.maximum(counts, 1)) * present
    return np.asarray(balanced, np.float32)


def cross_entropy(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    *,
    label_smoothing: float = 0.0,
    weights: np.ndarray | None = None,
) -> Any:
    """Cross-entropy of softmax(logits) [n, k] with soft targets [n, k].

    The mean over the examples of -sum_k weights_k target_k log softmax(logits)_k. `weight`: [n],
    what each example counts; `weights`: [k], what each class counts.
    """
    counted = _by_class(p, _smooth(p, target, label_smoothing), weights)
    each = p.sum(p.multiply(counted, p.log_softmax(logits, -1)), (-1,))
    return p.negative(weighted_mean(p, each, weight))


def focal(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    *,
    label_smoothing: float = 0.0,
    weights: np.ndarray | None = None,
) -> Any:
    """Cross-entropy in which a class counts by (1 - its probability)²: Lin et al. 2017.

    Examples that are nearly right count little, so that the many easy ones of a frequent class do
    not drown the few hard ones of a rare class. The exponent is the one that they found best.
    """
    counted = _by_class(p, _smooth(p, target, label_smoothing), weights)
    logarithms = p.log_softmax(logits, -1)
    unsure = p.add(p.negative(p.softmax(logits, -1)), 1.0)
    each = p.sum(p.multiply(counted, p.multiply(p.multiply(unsure, unsure), logarithms)), (-1,))
    return p.negative(weighted_mean(p, each, weight))


def kl_divergence(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    *,
    label_smoothing: float = 0.0,
    weights: np.ndarray | None = None,
) -> Any:
    """sum_k target_k log(target_k / softmax(logits)_k): `cross_entropy` less what targets miss.

    Its slopes are those of cross-entropy; it is 0 if soft targets are met (Kullback and Leibler
    1951). As torch.nn.KLDivLoss with `batchmean`.
    """
    target = _smooth(p, target, label_smoothing)
    counted = _by_class(p, target, weights)
    # 0 log 0 is 0.
    known = p.where(p.greater(target, 0.0), target, 1.0)
    surprise = p.subtract(p.log(known), p.log_softmax(logits, -1))
    return weighted_mean(p, p.sum(p.multiply(counted, surprise), (-1,)), weight)


def margin(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    *,
    label_smoothing: float = 0.0,
    weights: np.ndarray | None = None,
    short: Callable[[Any, Any, Any], Any] = hinge,
) -> Any:
    """The mean over classes of what each logit is short of its margin.

    Class weights act on whole examples, as in `mean_squared_error`.
    """
    target = _smooth(p, target, label_smoothing)
    errors = p.mean(short(p, logits, target), (-1,))
    if weights is not None:
        errors = p.multiply(errors, p.sum(_by_class(p, target, weights), (-1,)))
    return weighted_mean(p, errors, weight)


def mean_squared_error(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    *,
    label_smoothing: float = 0.0,
    weights: np.ndarray | None = None,
) -> Any:
    """The mean of (softmax(logits) - target)²: on probabilities, which are what is delivered.

    Class weights act on whole examples: each is weighted by sum_k weights_k target_k.
    """
    target = _smooth(p, target, label_smoothing)
    difference = p.subtract(p.softmax(logits, -1), target)
    errors = p.mean(p.multiply(difference, difference), (-1,))
    if weights is not None:
        errors = p.multiply(errors, p.sum(_by_class(p, target, weights), (-1,)))
    return weighted_mean(p, errors, weight)


def ordinal(
    p: Any,
    logits: Any,
    target: Any,
    weight: Any | None = None,
    *,
    label_smoothing: float = 0.0,
    weights: np.ndarray | None = None,
) -> Any:
    """Cross-entropy of being above each of k - 1 thresholds between ordered classes, their mean.

    An answer that is further off is beyond more thresholds, and costs more. Cumulative links
    (McCullagh 1980) and CORAL (Cao, Mirjalili and Raschka 2020, https://arxiv.org/abs/1901.07884)
    minimize the same of k - 1 logits; here the probability of being above a threshold is the sum of
    softmax(logits) [n, k] above it, so that it never rises from one threshold to the next, and
    the network, its answers and their calibration are those of any classification. Class weights
    act on whole examples, as in `mean_squared_error`.
    """
    target = _smooth(p, target, label_smoothing)
    likely = p.log_softmax(logits, -1)
    above = np.tri(p.shape(logits)[-1] - 1, p.shape(logits)[-1]) == 0
    each = p.add(_on_a_side(p, likely, target, above), _on_a_side(p, likely, target, ~above))
    errors = p.negative(p.mean(each, (-1,)))
    if weights is not None:
        errors = p.multiply(errors, p.sum(_by_class(p, target, weights), (-1,)))
    return weighted_mean(p, errors, weight)


def _on_a_side(p: Any, likely: Any, target: Any, there: np.ndarray) -> Any:
    """The share of targets [n, k] that lies there, times the logarithm of what is likely there.

    [n, k - 1], of `there` [k - 1, k], the classes on one side of each threshold.
    """
    count, classes = p.shape(likely)
    side = p.cast(p.constant(_fixed(there)), p.dtype(likely))
    hidden = p.cast(p.constant(_fixed(np.where(there, 0, HIDDEN))), p.dtype(likely))
    share = p.sum(p.multiply(p.reshape(target, (count, 1, classes)), side), (-1,))
    shown = p.add(p.reshape(likely, (count, 1, classes)), hidden)
    return p.multiply(share, p.log_sum_exp(shown, (-1,), False))


def _fixed(values: np.ndarray) -> np.ndarray:
    """Values that frameworks may keep as constants."""
    array = np.asarray(values, np.float32)
    array.flags.writeable = False
    return array


def _smooth(p: Any, target: Any, label_smoothing: float) -> Any:
    """Takes `label_smoothing` of each target and spreads it over all classes, the true one too."""
    if not label_smoothing:
        return target
    return p.add(p.multiply(target, 1 - label_smoothing), label_smoothing / p.shape(target)[-1])


def _by_class(p: Any, target: Any, weights: np.ndarray | None) -> Any:
    if weights is None:
        return target
    return p.multiply(target, p.cast(p.constant(weights), p.dtype(target)))


ORDINAL = "ordinal"
HIDDEN = -1e4
"""What is added to the logarithm of what does not count: exp gives 0 for it."""
CLASS_LOSSES: dict[str, Callable[..., Any]] = {
    "cross-entropy": cross_entropy,
    "focal": focal,
    LOGIT_ADJUSTED: cross_entropy,
    "mean-squared-error": mean_squared_error,
    ORDINAL: ordinal,
    "kl-divergence": kl_divergence,
    "hinge": margin,
    "squared-hinge": partial(margin, short=squared_hinge),
    # Beside what is minimized of the embedding, see embedding_losses.py.
    **dict.fromkeys(EMBEDDING_LOSSES, cross_entropy),
}
