"""How good a network's answers are: accuracy, loss, AUC, confusion, per-class figures and the worst mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allotrope.errors import DataError

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


def in_batches(answer: Callable[[NDArray[np.uint8]], Floats], images: NDArray[np.uint8], batch: int = 500) -> Floats:
    """What `answer` gives for all `images` [n, ...], asked for at most `batch` at a time.

    All batches are of one size, the last filled up with its first image, because a compiled network is compiled for each size.
    """
    if not len(images):
        raise DataError("there are no images to evaluate; at least one is needed.")
    size = math.ceil(len(images) / math.ceil(len(images) / batch))
    answers = [answer(_filled(images[start : start + size], size)) for start in range(0, len(images), size)]
    return np.concatenate(answers)[: len(images)]


def _filled(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    lacking = size - len(images)
    return np.concatenate([images, np.repeat(images[:1], lacking, axis=0)]) if lacking else images


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Probabilities [n, k] from logits [n, k], in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def scores(logits: Floats, labels: Labels) -> dict[str, float]:
    """Accuracy (a fraction) and loss (mean cross-entropy without label smoothing), and AUC where there are two classes.

    `logits`: [n, k]; `labels`: [n]. Raises: DataError if there is nothing to score.
    """
    if not len(labels):
        raise DataError("there are no images to evaluate; at least one is needed.")
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    found = {
        "accuracy": float(np.mean(logits.argmax(axis=1) == labels)),
        "loss": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
    }
    area = area_under_curve(logits, labels)
    return found if area is None else {**found, "auc": area}


def area_under_curve(logits: Floats, labels: Labels) -> float | None:
    """The area under the ROC curve of two classes; None with more classes, or where one of the two does not occur."""
    if logits.shape[1] != 2 or len(np.unique(labels)) != 2 or not np.isfinite(logits).all():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, logits[:, 1].astype(np.float64) - logits[:, 0]))


def evaluate(logits: Floats, labels: Labels, classes: tuple[str, ...], mistakes: int = 16) -> dict[str, Any]:
    """The whole account of a test, ready for run.json: `scores`, `confusion` (rows true, columns predicted), `per_class`, `mistakes`."""
    table = confusion(logits.argmax(axis=1), labels, len(classes))
    return {
        **scores(logits, labels),
        "confusion": table.tolist(),
        "per_class": per_class(table, classes),
        "mistakes": worst_mistakes(softmax(logits), labels, classes, mistakes),
    }


def confusion(predicted: Labels, labels: Labels, classes: int) -> Labels:
    """Counts [k, k]: rows are true classes, columns predicted ones."""
    flat: Labels = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes)


def per_class(table: Labels, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class from a confusion table; 0 where a figure is undefined."""
    right, support, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(support + predicted, 1)
    return [
        {"class": name, "precision": float(precision[i]), "recall": float(recall[i]), "f1": float(f1[i]), "support": int(support[i])}
        for i, name in enumerate(classes)
    ]


def worst_mistakes(probabilities: Floats, labels: Labels, classes: tuple[str, ...], count: int) -> list[dict[str, Any]]:
    """The wrong answers that were given with the most confidence, the worst first."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return [
        {"index": int(i), "true": classes[labels[i]], "predicted": classes[predicted[i]], "confidence": float(confidence[i])} for i in worst
    ]
