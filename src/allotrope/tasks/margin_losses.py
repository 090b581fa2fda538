"""Losses that ask for a margin, of one answer against all others."""

from __future__ import annotations

from typing import Any


def hinge(p: Any, logits: Any, target: Any) -> Any:
    """max(0, 1 - s x) of each logit x [n, k], with s = 2 target - 1: right by a margin of 1.

    Cortes and Vapnik 1995, each class or flag against the rest; keras.losses.Hinge takes the mean
    of it.
    """
    side = p.add(p.multiply(target, 2.0), -1.0)
    return p.relu(p.add(p.negative(p.multiply(side, logits)), 1.0))


def squared_hinge(p: Any, logits: Any, target: Any) -> Any:
    """The square of `hinge`, which has a slope that grows from 0."""
    short = hinge(p, logits, target)
    return p.multiply(short, short)
