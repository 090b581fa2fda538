"""Sensitivity: how far the answers are off if one layer alone is rounded, a layer at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds
from allotrope.shrinking.mixed_precision import RoundedLayers, rounded_in

Arrays = Mapping[str, np.ndarray]

MOST, LEAST = 512, 32
"""Examples that the answers are compared on."""
WORK = 1e12
"""Multiply-adds of all layers and examples together, about a minute of one core: of networks that
take more, so many fewer examples are compared. Not the clock, which would not repeat."""


@dataclass(frozen=True)
class LayerError:
    """A layer that alone was rounded.

    `error` is the squared error of the answers as a share of their variance. `drop` are the points
    of the metric that are lost, on the same examples.
    """

    layer: str
    operator: str
    error: float
    drop: float


def sensitivities(
    known: RoundedLayers,
    answers: Callable[[Network], Arrays],
    drop: Callable[[Arrays, Arrays], float],
) -> list[LayerError]:
    """Every layer that is rounded, the most harmful in front.

    `answers` are those of a network to the same examples, `drop` are the points that are lost from
    one answer to another.
    """
    expected = answers(known.plain)
    errors = []
    for layer in known.layers:
        own = answers(rounded_in(known, [layer]))
        error = relative_error(own, expected)
        errors.append(LayerError(layer, known.operator(layer), error, drop(expected, own)))
    return sorted(errors, key=lambda each: -each.error)


def relative_error(answers: Arrays, expected: Arrays) -> float:
    """The mean, over all outputs, of the squared error as a share of the variance.

    Infinite if an answer is not a number. An output that is the same for all examples is compared
    by its square instead: it has no variance.
    """
    shares = [_share(answers[name], expected[name]) for name in expected]
    return float(np.mean(shares))


def _share(answers: np.ndarray, expected: np.ndarray) -> float:
    answers, expected = answers.astype(np.float64), expected.astype(np.float64)
    error = float(np.square(answers - expected).sum())
    if not math.isfinite(error):
        return math.inf
    spread = float(np.square(expected - expected.mean(axis=0)).sum())
    whole = spread or float(np.square(expected).sum()) or 1.0
    return error / whole


def examples_compared(known: RoundedLayers) -> int:
    """How many examples the answers of all its layers are compared on."""
    work = multiply_adds(known.plain) * (len(known.layers) + 1)
    return int(np.clip(WORK / max(work, 1), LEAST, MOST))
