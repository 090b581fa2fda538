"""Steps of one size whose sign alone is learned: Lion."""

from __future__ import annotations

from allotrope.training.optimizers.at_step import AtStep, Changed


def lion(at: AtStep) -> Changed:
    """w - rate * sign(b1 * m + (1 - b1) * g); m = b2 * m + (1 - b2) * g.

    Chen et al. 2023 (https://arxiv.org/abs/2302.06675).
    """
    change = at.p.sign(at.mean("mean", at.gradient, at.options.momentum))
    return at.by(change, {"mean": at.mean("mean", at.gradient, at.options.beta2)})
