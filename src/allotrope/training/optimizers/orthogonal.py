"""Muon: the change of a layer is the nearest matrix whose rows are orthonormal."""

from __future__ import annotations

from typing import Any

from allotrope.training.optimizers.adam_family import adam
from allotrope.training.optimizers.at_step import AtStep, Changed, Slots, as_matrix

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that drives singular values toward 1 fastest (Jordan et al. 2024)."""
ROUNDS = 5
LEAST = 1e-7
RMS = 0.2
"""The size of a step is that of AdamW's, so that both learn at one rate (Liu et al. 2025)."""
MOMENTUM = 0.95
"""Of layers, for whatever else `momentum` is AdamW's beta1."""


def muon(at: AtStep) -> Changed:
    """v = 0.95 v + 0.05 g; w - rate * 0.2 √max(m, n) * NewtonSchulz(0.05 g + 0.95 v).

    Of layers as matrices [m, n] (https://kellerjordan.github.io/posts/muon); the scale is that of
    https://arxiv.org/abs/2502.16982. Biases and other vectors learn by AdamW.
    """
    p, shape = at.p, at.p.shape(at.weight)
    if len(shape) < 2:
        return adam(at)
    velocity = at.mean("velocity", at.gradient, MOMENTUM)
    ahead = p.add(p.multiply(at.gradient, 1 - MOMENTUM), p.multiply(velocity, MOMENTUM))
    matrix = as_matrix(p, ahead)
    scale = RMS * max(p.shape(matrix)) ** 0.5
    change = p.reshape(p.multiply(_orthogonal(at, matrix), scale), shape)
    return at.by(change, {"velocity": velocity})


def muon_slots(p: Any, weight: Any) -> Slots:
    """A velocity of a layer, Adam's two moments of a vector."""
    shape, dtype = p.shape(weight), p.dtype(weight)
    if len(shape) < 2:
        return {name: p.full(shape, 0.0, dtype) for name in ("mean", "square")}
    return {"velocity": p.full(shape, 0.0, dtype)}


def _orthogonal(at: AtStep, matrix: Any) -> Any:
    """x [m, n] after rounds of a x + (b A + c A²) x, with A = x xᵀ of the shorter side."""
    p = at.p
    rows, columns = p.shape(matrix)
    tall = rows > columns
    x = p.transpose(matrix, (1, 0)) if tall else matrix
    x = p.divide(x, p.maximum(at.norm(x), LEAST))
    a, b, c = COEFFICIENTS
    for _ in range(ROUNDS):
        gram = p.matmul(x, p.transpose(x, (1, 0)))
        mixed = p.add(p.multiply(gram, b), p.multiply(p.matmul(gram, gram), c))
        x = p.add(p.multiply(x, a), p.matmul(mixed, x))
    return p.transpose(x, (1, 0)) if tall else x
