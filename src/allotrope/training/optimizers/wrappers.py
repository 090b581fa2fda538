"""What goes around any optimizer.

Centralized gradients, L1, bounded rows, gradients of several steps, Lookahead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allotrope.training.optimizers.at_step import AtStep, Changed, Slots

LOOKAHEAD_SHARE = 0.5
"""How far slow weights go toward the fast ones (Zhang et al. 2019)."""
_LEAST = 1e-12
"""Of what is divided by."""
SUM, SLOW = "accumulated", "slow"
Inner = Callable[[Any, Slots, Any], Changed]
"""inner(gradient, slots, step) -> weight and slots of the optimizer that is wrapped."""


def centralized(p: Any, gradient: Any) -> Any:
    """The gradient less its mean over all axes but the first, of each layer.

    Yong et al. 2020 (https://arxiv.org/abs/2004.01461), equation 1.
    """
    rank = len(p.shape(gradient))
    if rank < 2:
        return gradient
    return p.subtract(gradient, p.mean(gradient, tuple(range(1, rank)), True))


def with_l1(p: Any, gradient: Any, weight: Any, strength: float) -> Any:
    """The gradient of the loss and strength * sum |w|, of layers (Tibshirani 1996)."""
    if len(p.shape(weight)) < 2:
        return gradient
    return p.add(gradient, p.multiply(p.sign(weight), strength))


def bounded(p: Any, weight: Any, most: float) -> Any:
    """The weight with no row of a layer, which makes one unit, longer (Srivastava et al. 2014)."""
    rank = len(p.shape(weight))
    if rank < 2:
        return weight
    length = p.sqrt(p.sum(p.multiply(weight, weight), tuple(range(1, rank)), True))
    return p.multiply(weight, p.divide(p.minimum(length, most), p.maximum(length, _LEAST)))


def accumulated(at: AtStep, count: int, inner: Inner) -> Changed:
    """Every `count`-th step a step of the optimizer by the mean of the gradients since the last.

    `at.slots` has their sum beside the optimizer's own slots.
    """
    p = at.p
    total = p.add(at.slots[SUM], at.gradient)
    own = {name: array for name, array in at.slots.items() if name != SUM}
    due = _due(at, count)
    done = p.floor(p.divide(at.number(at.step), float(count)))
    weight, slots = inner(p.multiply(total, 1 / count), own, p.maximum(done, 1.0))
    # The number of steps is an array here, which makes wider numbers in some frameworks.
    held = {name: _if(at, due, array, own[name]) for name, array in slots.items()}
    return _if(at, due, weight, at.weight), {**held, SUM: p.where(due, 0.0, total)}


def _if(at: AtStep, due: Any, new: Any, old: Any) -> Any:
    return at.p.where(due, at.p.cast(new, at.p.dtype(old)), old)


def looked_ahead(at: AtStep, count: int, weight: Any) -> Changed:
    """Every `count`-th step slow weights go half of the way to the fast ones, which go back there.

    Zhang et al. 2019 (https://arxiv.org/abs/1907.08610). `weight` is what the optimizer made.
    """
    p, slow = at.p, at.slots[SLOW]
    due = _due(at, count)
    nearer = p.add(slow, p.multiply(p.subtract(weight, slow), LOOKAHEAD_SHARE))
    return p.where(due, nearer, weight), {SLOW: p.where(due, nearer, slow)}


def _due(at: AtStep, count: int) -> Any:
    """Whether this step is a `count`-th one."""
    step = at.number(at.step)
    return at.p.equal(at.p.floored_remainder(step, float(count)), 0.0)
