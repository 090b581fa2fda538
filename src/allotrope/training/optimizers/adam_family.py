"""Adam and what was made of it: m = b1 * m + (1 - b1) * g; s = b2 * s + (1 - b2) * g².

Kingma and Ba 2015 (https://arxiv.org/abs/1412.6980). Epsilon stands outside of the root, and the
bias of m and s, which begin at 0, is corrected: t counts steps from 1.
"""

from __future__ import annotations

import math

from allotrope.training.optimizers.at_step import AtStep, Changed, moments

LEAST_FREEDOM = 5.0
"""RAdam trusts the second moment from so many degrees of freedom on; PyTorch's number."""


_LEAST = 1e-300
"""Of which there is a logarithm, if beta2 is 0."""


def adam(at: AtStep) -> Changed:
    """w - rate * (m / (1 - b1^t)) / (√(s / (1 - b2^t)) + e)."""
    p, options = at.p, at.options
    mean, square = moments(at)
    root = p.sqrt(p.divide(square, at.bias(options.beta2)))
    change = p.divide(p.divide(mean, at.bias(options.momentum)), p.add(root, options.epsilon))
    return at.by(change, {"mean": mean, "square": square})


def adamax(at: AtStep) -> Changed:
    """u = max(b2 * u, |g| + e); w - rate * (m / (1 - b1^t)) / u: Adam's section 7.1."""
    p, options = at.p, at.options
    mean = at.mean("mean", at.gradient, options.momentum)
    size = p.add(p.abs(at.gradient), options.epsilon)
    largest = p.maximum(p.multiply(at.slots["largest"], options.beta2), size)
    change = p.divide(p.divide(mean, at.bias(options.momentum)), largest)
    return at.by(change, {"mean": mean, "largest": largest})


def nadam(at: AtStep) -> Changed:
    """Adam with b1 * m / (1 - b1^(t+1)) + (1 - b1) * g / (1 - b1^t) for m: Dozat 2016."""
    p, options = at.p, at.options
    mean, square = moments(at)
    ahead = 1 - options.momentum ** (at.step + 1)
    next_mean = p.divide(p.multiply(mean, options.momentum), ahead)
    own = p.divide(p.multiply(at.gradient, 1 - options.momentum), at.bias(options.momentum))
    root = p.sqrt(p.divide(square, at.bias(options.beta2)))
    change = p.divide(p.add(next_mean, own), p.add(root, options.epsilon))
    return at.by(change, {"mean": mean, "square": square})


def amsgrad(at: AtStep) -> Changed:
    """Adam with the largest s so far for s (Reddi et al. 2018, arxiv.org/abs/1904.09237)."""
    p, options = at.p, at.options
    mean, square = moments(at)
    largest = p.maximum(at.slots["largest"], square)
    root = p.sqrt(p.divide(largest, at.bias(options.beta2)))
    change = p.divide(p.divide(mean, at.bias(options.momentum)), p.add(root, options.epsilon))
    return at.by(change, {"mean": mean, "square": square, "largest": largest})


def radam(at: AtStep) -> Changed:
    """Adam whose first steps, until s is known well enough, are those of momentum.

    Liu et al. 2020 (https://arxiv.org/abs/1908.03265), algorithm 2.
    """
    p, options = at.p, at.options
    mean, square = moments(at)
    root = p.add(p.sqrt(square), options.epsilon)
    straight = p.divide(mean, at.bias(options.momentum))
    freedom, rectified = _rectification(at)
    adaptive = p.divide(at.times(straight, rectified), root)
    change = p.where(p.greater(freedom, LEAST_FREEDOM), adaptive, straight)
    return at.by(change, {"mean": mean, "square": square})


def _rectification(at: AtStep) -> tuple[object, object]:
    """The degrees of freedom of s, and what the adaptive step is multiplied by."""
    p, decay = at.p, at.options.beta2
    most = 2 / (1 - decay) - 1
    step = at.number(at.step)
    power = p.exp(p.multiply(step, math.log(max(decay, _LEAST))))
    left = p.add(p.negative(power), 1.0)
    missing = p.divide(p.multiply(p.multiply(step, 2.0), power), left)
    freedom = p.add(p.negative(missing), most)
    # Below the limit the result is not used; it only has to be a number.
    known = p.maximum(freedom, LEAST_FREEDOM)
    parts = p.multiply(p.multiply(p.subtract(known, 4.0), p.subtract(known, 2.0)), most)
    whole = p.multiply(known, (most - 4) * (most - 2))
    return freedom, p.sqrt(p.multiply(p.divide(parts, whole), left))
