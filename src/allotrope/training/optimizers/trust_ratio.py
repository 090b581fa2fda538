"""Steps in proportion to the size of each layer's weights, for large batches: LARS and LAMB."""

from __future__ import annotations

from typing import Any

from allotrope.training.optimizers.at_step import AtStep, Changed, moments

TRUST = 0.001
"""How large LARS's steps are beside the weights (You et al. 2017, and optax)."""


def lars(at: AtStep) -> Changed:
    """u = g + d * w; v = m * v + rate * 0.001 * |w| / |u| * u; w - v, with decay d.

    You et al. 2017 (https://arxiv.org/abs/1708.03888), equation 6 with optax's |g + d w|.
    """
    p = at.p
    decayed = _decayed(at, at.gradient)
    own = at.times(decayed, p.multiply(_ratio(at, decayed), TRUST))
    before = p.multiply(at.slots["velocity"], at.options.momentum)
    velocity = p.add(before, p.multiply(own, at.rate))
    return p.subtract(at.weight, velocity), {"velocity": velocity}


def lamb(at: AtStep) -> Changed:
    """u = Adam's change + d * w; w - rate * |w| / |u| * u, with decay d.

    You et al. 2020 (https://arxiv.org/abs/1904.00962), algorithm 2.
    """
    p, options = at.p, at.options
    mean, square = moments(at)
    root = p.sqrt(p.divide(square, at.bias(options.beta2)))
    change = p.divide(p.divide(mean, at.bias(options.momentum)), p.add(root, options.epsilon))
    change = _decayed(at, change)
    return at.by(at.times(change, _ratio(at, change)), {"mean": mean, "square": square})


def _decayed(at: AtStep, change: Any) -> Any:
    if not at.decay:
        return change
    return at.p.add(change, at.p.multiply(at.weight, at.decay))


def _ratio(at: AtStep, change: Any) -> Any:
    """|w| / |change|; 1 if either is 0, as a bias is at first."""
    p = at.p
    own, other = at.norm(at.weight), at.norm(change)
    there = p.greater(p.multiply(own, other), 0.0)
    return p.where(there, p.divide(own, p.where(there, other, 1.0)), 1.0)
