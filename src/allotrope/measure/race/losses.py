"""Whether frameworks compute the same: losses of the first steps from equal weights, batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-3
"""By which share of the loss float32 may differ after a few steps."""
LEARNING = 0.02
"""By which share of what the steps have changed so far the losses may differ."""


@dataclass(frozen=True)
class LossAgreement:
    """`agrees`: None where there is nothing to compare with.

    `difference` is the largest, relative, from those that agree with most.

    `step`: the first step at which the losses part, counted from 1; None where they do not.
    """

    losses: tuple[float, ...]
    agrees: bool | None
    difference: float | None
    step: int | None


def agreements(losses: Mapping[str, Sequence[float]]) -> dict[str, LossAgreement]:
    """For each framework whether its losses are those of the others.

    Where they part, the largest group that agrees is right. Of groups of one size none is, because
    nobody can say which.
    """
    if len(losses) < 2:
        return {
            name: LossAgreement(tuple(course), None, None, None) for name, course in losses.items()
        }
    # Whom each one agrees with, itself included. Agreement is not transitive: rounding adds up, so
    # that the first may agree with the second, that with the third, and not the first with it.
    groups = {
        name: {other for other in losses if parting(losses[name], losses[other]) is None}
        for name in losses
    }
    most = max(map(len, groups.values()))
    largest = {frozenset(group) for group in groups.values() if len(group) == most}
    if most > 1:
        # Of several groups of that size, right is who is in all; nobody, if they share none.
        right = frozenset.intersection(*largest)
    else:
        right = frozenset()
    return {name: _agreement(name, losses, right) for name in losses}


def _agreement(
    name: str, losses: Mapping[str, Sequence[float]], right: frozenset[str]
) -> LossAgreement:
    others = [losses[other] for other in (right or losses.keys()) if other != name]
    steps = [step for other in others if (step := parting(losses[name], other)) is not None]
    difference = max((_difference(losses[name], other) for other in others), default=0.0)
    return LossAgreement(tuple(losses[name]), name in right, difference, min(steps, default=None))


def parting(one: Sequence[float], other: Sequence[float]) -> int | None:
    """The first step, from 1, at which two loss curves differ by more than rounding, or None."""
    if len(one) != len(other):
        return min(len(one), len(other)) + 1
    for step, (a, b) in enumerate(zip(one, other, strict=True), 1):
        # Rounding grows with learning: the further a loss has come from its beginning, the more two
        # of them may differ. The smaller way counts, so that one that runs away has no excuse.
        allowed = ROUNDING * abs(b) + LEARNING * min(abs(b - other[0]), abs(a - one[0]))
        if not abs(a - b) <= allowed:  # so that what is not a number parts
            return step
    return None


def _difference(one: Sequence[float], other: Sequence[float]) -> float:
    a, b = np.asarray(one), np.asarray(other)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float((np.abs(a - b) / np.maximum(np.abs(b), 1e-6)).max())
