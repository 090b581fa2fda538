"""What goes around any optimizer: centralized gradients, gradients of several steps, Lookahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allotrope.training.optimizers.at_step import AtStep, Changed, Slots

LOOKAHEAD_SHARE = 0.5
"""How far slow weights go toward the fast ones (Zhang et al. 2019)."""
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
