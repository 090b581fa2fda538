"""From which probability on a label is given: chosen on validation data, one for each label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

USUAL = 0.5


def best_threshold(probabilities: NDArray[Any], flags: NDArray[np.bool_]) -> float:
    """The threshold of the best F1 for one label: probabilities [n], flags [n].

    It lies in the middle between two probabilities that occur, so that rounding does not decide; of
    equally good ones the nearest to 1/2. 1/2 itself if the label never or always occurs.
    """
    if not flags.any() or flags.all():
        return USUAL
    order = np.argsort(-probabilities, kind="stable")
    sorted_probabilities = probabilities[order].astype(np.float64)
    right = np.cumsum(flags[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + flags.sum())
    below = np.append(sorted_probabilities[1:], 0.0)
    middle = (sorted_probabilities + below) / 2
    f1 = np.where(sorted_probabilities > below, f1, -1.0)  # equal probabilities cannot be parted
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middle[best[np.argmin(np.abs(middle[best] - USUAL))]])
