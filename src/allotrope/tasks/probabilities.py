"""Probabilities of logits in NumPy, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities [n, k] from logits [n, k]."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def log_softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Logarithms of probabilities [n, k] from logits [n, k]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def surprise(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The mean cross-entropy of probabilities [n, k] with labels [n].

    A probability that float32 rounded to 0 counts as the least that it holds.
    """
    own = np.take_along_axis(probabilities.astype(np.float64), labels[:, None], axis=1)
    return float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean())
