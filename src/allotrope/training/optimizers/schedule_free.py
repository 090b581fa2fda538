"""Schedule-free AdamW: steps are taken from a mean, which is what is delivered.

Defazio et al. 2024 (https://arxiv.org/abs/2405.15682), with beta = beta1: gradients are taken at
y = (1 - b1) z + b1 x, steps change z, and x is the mean of all z, each counted by the square of the
highest learning rate so far. The trained weight is y; slots hold z and what x is made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.training.optimizers.at_step import AtStep, Changed, Slots

_DOUBLE = np.dtype(np.float64)


def schedule_free(at: AtStep) -> Changed:
    """u = g / (√(s / (1 - b2^t)) + e) + d * y; z - rate * u; x goes toward z by its share."""
    p, options = at.p, at.options
    square = at.mean("square", p.multiply(at.gradient, at.gradient), options.beta2)
    root = p.sqrt(p.divide(square, at.bias(options.beta2)))
    change = p.divide(at.gradient, p.add(root, options.epsilon))
    if at.decay:
        change = p.add(change, p.multiply(at.weight, at.decay))
    highest = p.maximum(at.slots["highest"], at.number(at.rate))
    counted = p.multiply(highest, highest)
    total = p.add(at.slots["total"], counted)
    # At a learning rate of 0, as warm-up begins, nothing is counted yet.
    share = p.divide(counted, p.where(p.greater(total, 0.0), total, 1.0))
    z = at.slots["z"]
    nearer = p.add(at.weight, at.times(p.subtract(z, at.weight), share))
    ahead = p.add(p.multiply(share, -options.momentum), options.momentum - 1)
    step = p.multiply(ahead, at.number(at.rate))
    y = p.add(nearer, at.times(change, step))
    z = p.subtract(z, p.multiply(change, at.rate))
    return y, {"z": z, "square": square, "highest": highest, "total": total}


def schedule_free_slots(p: Any, weight: Any) -> Slots:
    """z begins as the weight."""
    fresh = p.full(p.shape(weight), 0.0, p.dtype(weight))
    numbers = {name: p.beside(weight).full((), 0.0, _DOUBLE) for name in ("highest", "total")}
    return {"z": p.add(fresh, weight), "square": fresh, **numbers}


def mean_of_steps(p: Any, momentum: float, weight: Any, slots: Slots) -> Any:
    """x = (y - (1 - b1) z) / b1."""
    rest = p.multiply(slots["z"], 1 - momentum)
    return p.multiply(p.subtract(weight, rest), 1 / momentum)
