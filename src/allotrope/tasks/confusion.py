"""Which classes are taken for which: counts, figures a class, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def confusion(predicted: Codes, labels: Codes, classes: int) -> Codes:
    """Counts [k, k]: rows are true classes, columns predicted ones."""
    flat: Codes = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes)


def per_class(table: Codes, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class from a confusion table; 0 if undefined."""
    right, support, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(support + predicted, 1)
    return [
        {
            "class": name,
            "precision": float(precision[index]),
            "recall": float(recall[index]),
            "f1": float(f1[index]),
            "support": int(support[index]),
        }
        for index, name in enumerate(classes)
    ]


def macro_f1(table: Codes) -> float:
    """The mean F1 of the classes that occur in the labels of a confusion table [k, k]."""
    support = table.sum(axis=1)
    f1 = 2 * np.diag(table) / np.maximum(support + table.sum(axis=0), 1)
    if support.any():
        return float(f1[support > 0].mean())
    return 0.0


def quadratic_kappa(table: Codes) -> float:
    """Cohen's kappa of a confusion table [k, k] of ordered classes, by the squared distance.

    1 if all are right, 0 for answers that know nothing (Cohen 1968, doi.org/10.1037/h0026256).
    """
    grades = np.arange(len(table), dtype=np.float64)
    weights = (grades[:, None] - grades) ** 2
    by_chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(int(table.sum()), 1)
    expected = float((weights * by_chance).sum())
    # One class alone, and never mistaken, tells nothing of what is known.
    return 1 - float((weights * table).sum()) / expected if expected > 0 else 0.0


def worst_mistakes(
    probabilities: NDArray[Any], labels: Codes, classes: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """The wrong answers that were given with the most confidence, the worst first."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return _answers(worst, probabilities, labels, classes)


def typical_answers(
    probabilities: NDArray[Any], labels: Codes, classes: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """Right answers of the most frequent classes, as many of each.

    Of each class those whose confidence parts its right answers evenly, as the median does for one.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    frequent = np.argsort(-np.bincount(labels, minlength=len(classes)), kind="stable")[:count]
    each = count // len(frequent)
    typical: list[np.int64] = []
    for label in frequent:
        right = np.flatnonzero((predicted == labels) & (labels == label))
        surest_last = right[np.argsort(confidence[right], kind="stable")]
        # The surest of all may be a lucky one; those in the middle of equal parts are none.
        places = (np.arange(each) + 0.5) * len(right) / each
        typical.extend(surest_last[np.unique(places.astype(int))] if len(right) else ())
    return _answers(typical, probabilities, labels, classes)


def _answers(
    rows: Sequence[np.int64] | Codes,
    probabilities: NDArray[Any],
    labels: Codes,
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """What run.json says of these rows."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    return [
        {
            "index": int(row),
            "true": classes[labels[row]],
            "predicted": classes[predicted[row]],
            "confidence": float(confidence[row]),
        }
        for row in rows
    ]


def area_under_curve(logits: NDArray[Any], labels: Codes) -> float | None:
    """The area under the ROC curve of two classes, from logits or probabilities [n, 2].

    None if there are more classes, or one of the two does not occur.
    """
    if logits.shape[1] != 2 or len(np.unique(labels)) != 2 or not np.isfinite(logits).all():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, logits[:, 1].astype(np.float64) - logits[:, 0]))
