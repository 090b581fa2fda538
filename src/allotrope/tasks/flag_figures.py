"""How good answers of yes and no are, label by label: precision, recall, F1, areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.float64]
"""[n, k] of 0 and 1, NaN if missing."""


def counts(answers: NDArray[np.bool_], flags: Flags) -> NDArray[np.int64]:
    """[3, k]: how often a label was given rightly, given at all, and is there.

    Unknown flags left out.
    """
    known = ~np.isnan(flags)
    there = flags == 1
    rightly, answers = answers & there, answers & known
    return np.stack([each.sum(axis=0) for each in (rightly, answers, there)])


def f1_scores(table: NDArray[np.int64]) -> dict[str, float]:
    """`macro_f1` is the mean over labels that occur, `micro_f1` that of all flags together."""
    rightly, answered, there = table
    each = 2 * rightly / np.maximum(answered + there, 1)
    occurs = there > 0
    together = max(int(answered.sum() + there.sum()), 1)
    return {
        "macro_f1": float(each[occurs].mean()) if occurs.any() else 0.0,
        "micro_f1": 2 * int(rightly.sum()) / together,
    }


def areas(answers: NDArray[Any], flags: Flags) -> list[float | None]:
    """The area under the ROC curve of each label; None if it never or always occurs."""
    known = ~np.isnan(flags)
    return [
        _area(column[there], flag[there] == 1)
        for column, flag, there in zip(answers.T, flags.T, known.T, strict=True)
    ]


def _area(answers: NDArray[Any], flags: NDArray[np.bool_]) -> float | None:
    """From the ranks of the answers, those of ties in the middle (Mann and Whitney 1947)."""
    from scipy.stats import rankdata  # scikit-learn brings SciPy

    with_it = int(flags.sum())
    without = len(flags) - with_it
    if not with_it or not without or not np.isfinite(answers).all():
        return None
    above = rankdata(answers)[flags].sum() - with_it * (with_it + 1) / 2
    return float(above / (with_it * without))


def per_label(
    names: Sequence[str],
    table: NDArray[np.int64],
    areas: Sequence[float | None],
    thresholds: NDArray[Any],
) -> list[dict[str, Any]]:
    """Precision, recall, F1, area, threshold and support of each label; 0 if undefined."""
    rightly, answered, there = table
    precision, recall = rightly / np.maximum(answered, 1), rightly / np.maximum(there, 1)
    f1 = 2 * rightly / np.maximum(answered + there, 1)
    return [
        {
            "label": name,
            "precision": float(precision[index]),
            "recall": float(recall[index]),
            "f1": float(f1[index]),
            "auc": areas[index],
            "threshold": float(thresholds[index]),
            "support": int(there[index]),
        }
        for index, name in enumerate(names)
    ]


def most_wrong(
    probabilities: NDArray[Any], flags: Flags, names: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """The examples with the largest mean loss over their known flags, the worst first."""
    known = ~np.isnan(flags)
    of_truth = np.where(flags == 1, probabilities, 1 - probabilities)
    losses = np.where(known, -np.log(np.maximum(of_truth, 1e-300)), 0.0)
    mean = losses.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    worst = [row for row in np.argsort(-mean, kind="stable")[:count] if known[row].any()]
    return [
        {
            "index": int(row),
            "true": [name for name, flag in zip(names, flags[row], strict=True) if flag == 1],
            "loss": float(mean[row]),
            "probabilities": [float(each) for each in probabilities[row]],
        }
        for row in worst
    ]
