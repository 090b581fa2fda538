"""How far answers in units are from the truth: figures, points to plot, the worst examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

MOST_POINTS = 400
"""So many points of a plot are all that an eye can tell apart, and what a page should carry."""


def errors(answers: Values, truth: Values) -> dict[str, float]:
    """RMSE and MAE in units, and R², over all numbers [m] that are known.

    R² is left out if the truth never varies.
    """
    difference = answers - truth
    figures = {
        "rmse": float(np.sqrt(np.mean(difference**2))),
        "mae": float(np.mean(np.abs(difference))),
    }
    spread = float(np.mean((truth - truth.mean()) ** 2))
    if spread > 0:
        figures["r2"] = 1 - float(np.mean(difference**2)) / spread
    return figures


def points(answers: Values, truth: Values) -> list[list[float]]:
    """[true, answered], in the order of the truth and evenly thinned."""
    order = np.argsort(truth, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, MOST_POINTS).round().astype(int))]
    return [[float(truth[row]), float(answers[row])] for row in chosen]


def quantiles(answers: Values, truth: Values) -> dict[str, float]:
    """Half, nine and 99 of a hundred answers are at most so far off."""
    size = np.abs(answers - truth)
    return {f"p{percent}": float(np.percentile(size, percent)) for percent in (50, 90, 99)}


def farthest(
    answers: Values, truth: Values, rows: NDArray[Any], count: int
) -> list[dict[str, Any]]:
    """The examples that are farthest off, the worst first; `rows` are their places in the split."""
    worst = np.argsort(-np.abs(answers - truth), kind="stable")[:count]
    return [
        {
            "index": int(rows[row]),
            "true": float(truth[row]),
            "predicted": float(answers[row]),
            "error": float(answers[row] - truth[row]),
        }
        for row in worst
    ]
