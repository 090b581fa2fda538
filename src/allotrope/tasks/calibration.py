"""How well confidence fits how often answers are right, and the temperature that mends it.

After Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from allotrope.tasks.probabilities import softmax

BINS = 15
"""Bins of confidence, as Guo et al. count them."""
COLDEST, HOTTEST = 1 / 20, 20.0
FEWEST = 50
"""With fewer labelled examples logits stay as they are."""


def best_temperature(
    logits: NDArray[Any], labels: NDArray[np.int64], fewest: int = FEWEST
) -> float:
    """What logits [n, k] are to be divided by so that their cross-entropy is least.

    Labels [n] count as (n + 1) / (n + 2) of a certain one, as in Platt 1999: else the best
    confidence in answers that are all right would be infinite. 1 for fewer than the `fewest`.
    """
    count = len(logits)
    if count < fewest:
        return 1.0
    from scipy.optimize import brentq  # scikit-learn brings SciPy

    wide = logits.astype(np.float64)
    certain = (count + 1) / (count + 2)
    of_labels = np.take_along_axis(wide, labels[:, None], axis=1).mean()
    wanted = certain * of_labels + (1 - certain) * wide.mean()

    def slope(log_inverse: float) -> float:
        """Of the cross-entropy along the inverse temperature, in which it is convex."""
        mean_logit = (softmax(wide * np.exp(log_inverse)) * wide).sum(axis=1).mean()
        return float(mean_logit - wanted)

    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    if slope(low) >= 0:
        return HOTTEST
    if slope(high) <= 0:
        return COLDEST
    return float(np.exp(-brentq(slope, low, high, xtol=1e-6)))


def surprises(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log of each example's probability [n, k] of its label [n]: [n].

    However few labels there are, by the temperature that suits them best: who is as often
    wrong and less sure of it knows no more.
    """
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    honest = softmax(logits / best_temperature(logits, labels, fewest=1))
    return -np.log(honest[np.arange(len(labels)), labels])


def calibration(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> dict[str, Any]:
    """`expected_error`: how far confidence and accuracy lie apart on average over examples.

    `bins` lists {confidence, accuracy, count} of examples with alike confidence, those that occur:
    probabilities [n, k] of which the largest is the confidence, labels [n].
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sums = [np.bincount(bins, weights=values, minlength=BINS) for values in (confidence, right)]
    rows = [
        {
            "confidence": float(sums[0][index] / counts[index]),
            "accuracy": float(sums[1][index] / counts[index]),
            "count": int(counts[index]),
        }
        for index in np.flatnonzero(counts)
    ]
    error = float(np.abs(sums[0] - sums[1]).sum() / len(labels))
    return {"expected_error": error, "bins": rows}
