"""Two classes at one threshold: sensitivity and specificity, and how sure they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
COVERED = 95.0
"""Per cent of the resamples that an interval holds."""

Interval = dict[str, float]
"""`value`, and `low` and `high` of its bootstrap interval."""


def best_operating_point(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float | None:
    """The threshold at which sensitivity + specificity is largest (Youden 1950).

    It lies in the middle between two scores that occur: scores [n], positive [n]. None if one of
    the two does not occur.
    """
    if positive.all() or not positive.any():
        return None
    order = np.argsort(-scores, kind="stable")
    ordered, flags = scores[order].astype(np.float64), positive[order]
    sensitivity = np.cumsum(flags) / flags.sum()
    false_alarms = np.cumsum(~flags) / (~flags).sum()
    below = np.append(ordered[1:], 0.0)
    gain = np.where(ordered > below, sensitivity - false_alarms, -1.0)  # equal ones stay together
    best = int(np.argmax(gain))
    return float((ordered[best] + below[best]) / 2)


def at_operating_point(
    scores: NDArray[Any], positive: NDArray[np.bool_], threshold: float, seed: int = 0
) -> dict[str, Any]:
    """`sensitivity`, `specificity` and `auc` as intervals, from resampled examples.

    `scores` [n] are of the class that counts as positive; both classes must occur in `positive`.
    """
    rng = np.random.default_rng(seed)
    said = scores >= threshold
    counts = np.array(
        [
            np.count_nonzero(said & positive),
            np.count_nonzero(~said & positive),
            np.count_nonzero(~said & ~positive),
            np.count_nonzero(said & ~positive),
        ]
    )
    # Which examples are drawn does not matter to a share, only how many of each of the four kinds.
    drawn = rng.multinomial(len(scores), counts / len(scores), size=RESAMPLES)
    return {
        "threshold": threshold,
        "sensitivity": _interval(_share(counts[:2]), _share(drawn[:, :2])),
        "specificity": _interval(_share(counts[2:]), _share(drawn[:, 2:])),
        "auc": _area(scores, positive, rng),
    }


def _share(pairs: NDArray[Any]) -> NDArray[np.float64]:
    """The first of two counts [..., 2] in all, NaN if there are none."""
    total = pairs.sum(axis=-1)
    return np.where(total > 0, pairs[..., 0] / np.maximum(total, 1), np.nan)


def _area(scores: NDArray[Any], positive: NDArray[np.bool_], rng: np.random.Generator) -> Interval:
    """The area under the ROC curve: how often a positive scores above a negative, ties half."""
    values, places = np.unique(scores, return_inverse=True)
    rows, kinds = len(scores), len(values)
    cells = places + kinds * ~positive  # positives of each value, then negatives

    def area(cells: NDArray[Any]) -> float:
        up, down = np.split(np.bincount(cells, minlength=2 * kinds), 2)
        pairs = up.sum() * down.sum()
        return float(up @ (np.cumsum(down) - down / 2)) / pairs if pairs else np.nan

    # Counts of each cell would be drawn cell by cell, which takes several times as long.
    areas = [area(cells[rng.integers(0, rows, rows)]) for _ in range(RESAMPLES)]
    return _interval(area(cells), np.asarray(areas))


def _interval(value: NDArray[np.float64] | float, resampled: NDArray[np.float64]) -> Interval:
    tail = (100 - COVERED) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail])
    return {"value": float(value), "low": float(low), "high": float(high)}
