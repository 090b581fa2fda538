"""Steps by how large gradients have been: RMSprop, Adagrad, Adadelta."""

from __future__ import annotations

from allotrope.training.optimizers.at_step import AtStep, Changed


def rmsprop(at: AtStep) -> Changed:
    """s = b * s + (1 - b) * g²; w - rate * g / (√s + e) (Tieleman and Hinton 2012)."""
    p = at.p
    square = at.mean("square", p.multiply(at.gradient, at.gradient), at.options.beta2)
    change = p.divide(at.gradient, p.add(p.sqrt(square), at.options.epsilon))
    return at.by(change, {"square": square})


def adagrad(at: AtStep) -> Changed:
    """s = s + g²; w - rate * g / (√s + e) (Duchi et al. 2011)."""
    p = at.p
    total = p.add(at.slots["total"], p.multiply(at.gradient, at.gradient))
    change = p.divide(at.gradient, p.add(p.sqrt(total), at.options.epsilon))
    return at.by(change, {"total": total})


def adadelta(at: AtStep) -> Changed:
    """s = b * s + (1 - b) * g²; d = √(u + e) / √(s + e) * g; u = b * u + (1 - b) * d².

    w - rate * d: Zeiler 2012 (https://arxiv.org/abs/1212.5701), with epsilon inside of the roots.
    """
    p, epsilon, decay = at.p, at.options.epsilon, at.options.beta2
    square = at.mean("square", p.multiply(at.gradient, at.gradient), decay)
    before = p.sqrt(p.add(at.slots["change"], epsilon))
    change = p.multiply(p.divide(before, p.sqrt(p.add(square, epsilon))), at.gradient)
    moved = at.mean("change", p.multiply(change, change), decay)
    return at.by(change, {"square": square, "change": moved})
