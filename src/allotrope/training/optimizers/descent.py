"""Down the gradient: SGD, with momentum, and Nesterov's."""

from __future__ import annotations

from allotrope.training.optimizers.at_step import AtStep, Changed


def sgd(at: AtStep) -> Changed:
    """w - rate * g."""
    return at.by(at.gradient, {})


def momentum(at: AtStep) -> Changed:
    """v = m * v + g; w - rate * v (Polyak 1964)."""
    p = at.p
    velocity = p.add(p.multiply(at.slots["velocity"], at.options.momentum), at.gradient)
    return at.by(velocity, {"velocity": velocity})


def nesterov(at: AtStep) -> Changed:
    """v = m * v + g; w - rate * (g + m * v) (Sutskever et al. 2013)."""
    p = at.p
    velocity = p.add(p.multiply(at.slots["velocity"], at.options.momentum), at.gradient)
    ahead = p.add(at.gradient, p.multiply(velocity, at.options.momentum))
    return at.by(ahead, {"velocity": velocity})
