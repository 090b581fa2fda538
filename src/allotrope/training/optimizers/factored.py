"""Adafactor: of the squares of a layer's gradients only means of rows and columns are held."""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.training.optimizers.at_step import AtStep, Changed, Slots, as_matrix

SMALLEST = 1e-3
"""Weights are taken to be of this size at least, so that those that begin at 0 can learn."""
POWER = -0.8
"""b2 = 1 - t^-0.8: later steps remember longer."""


def adafactor(at: AtStep) -> Changed:
    """u = g / √s, at most of size 1; w - max(0.001, |w|) * min(rate, 1/√t) * u, with sizes RMS.

    Shazeer and Stern 2018 (https://arxiv.org/abs/1804.04235), algorithms 4 and 5, as in
    torch.optim.Adafactor. s of a matrix is the product of the means of its rows and columns; a
    convolution is one with a row for each filter, where PyTorch factors its last two axes.
    """
    p = at.p
    step = at.number(at.step)
    fresh = p.power(step, POWER)
    matrix = len(p.shape(at.gradient)) > 1
    change, slots = (_by_rows if matrix else _by_element)(at, fresh)
    bounded = p.maximum(_size(at, change), 1.0)
    slowest = p.minimum(at.number(at.rate), p.power(step, -0.5))
    own = p.maximum(_size(at, at.weight), SMALLEST)
    rate = p.multiply(p.cast(own, p.dtype(slowest)), slowest)
    weight = at.weight
    if at.decay:
        weight = p.multiply(weight, 1 - at.rate * at.decay)
    return p.subtract(weight, at.times(p.divide(change, bounded), rate)), slots


def adafactor_slots(p: Any, weight: Any) -> Slots:
    """Means of rows [m, 1] and columns [1, n] of a layer; of a vector all squares."""
    shape, dtype = p.shape(weight), p.dtype(weight)
    if len(shape) < 2:
        return {"square": p.full(shape, 0.0, dtype)}
    rows, columns = p.shape(as_matrix(p, weight))
    return {"rows": p.full((rows, 1), 0.0, dtype), "columns": p.full((1, columns), 0.0, dtype)}


def _by_rows(at: AtStep, fresh: Any) -> Changed:
    p = at.p
    gradient = as_matrix(p, at.gradient)
    squared = p.multiply(gradient, gradient)
    rows = _toward(at, "rows", p.mean(squared, (1,), True), fresh)
    columns = _toward(at, "columns", p.mean(squared, (0,), True), fresh)
    least = float(np.finfo(p.dtype(gradient)).eps)
    whole = p.maximum(p.mean(rows, (0,), True), least)
    estimate = p.divide(p.multiply(rows, columns), whole)
    change = p.divide(gradient, p.sqrt(p.maximum(estimate, least**2)))
    return p.reshape(change, p.shape(at.gradient)), {"rows": rows, "columns": columns}


def _by_element(at: AtStep, fresh: Any) -> Changed:
    p = at.p
    square = _toward(at, "square", p.multiply(at.gradient, at.gradient), fresh)
    least = float(np.finfo(p.dtype(square)).eps) ** 2
    return p.divide(at.gradient, p.sqrt(p.maximum(square, least))), {"square": square}


def _toward(at: AtStep, slot: str, value: Any, share: Any) -> Any:
    held = at.slots[slot]
    return at.p.add(held, at.times(at.p.subtract(value, held), share))


def _size(at: AtStep, x: Any) -> Any:
    return at.p.sqrt(at.p.mean(at.p.multiply(x, x)))
