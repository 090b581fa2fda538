"""How long a training can be compared: until rounding alone takes it elsewhere, as in deep networks it soon may."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.measure.agreement.comparer import compare_losses, compare_steps
from allotrope.measure.agreement.judge import TRAINED, Expectation, Row
from allotrope.measure.agreement.recording import Recording

NUDGE = 2.0**-46
"""The part of itself by which each weight of the echo begins off: some rounding errors, as many as a network's outputs gather."""
MARGIN = 100.0
"""The echo may differ by the tolerance divided by this: other frameworks round in more places than where the echo was moved."""


def has_departed(rows: Sequence[Row], precision: str) -> bool:
    """Whether any training in this precision departs from that which the others are held to."""
    parts = [row.parts[part] for row in rows if row.recording.precision == precision for part in TRAINED if part in row.parts]
    return not all(part.agrees for part in parts)


def settled_steps(echo: Recording, found: Recording, expected: Expectation) -> int:
    """The steps after which a training and its echo, which began a little off, are still as good as the same."""
    tolerance, names = expected.tolerance, expected.task.trained.weights
    assert tolerance.losses is not None and tolerance.weights is not None
    steps = min(len(echo.losses), len(found.losses))
    for step in range(1, steps + 1):
        same = compare_losses(echo.losses[:step], found.losses[:step], tolerance.losses / MARGIN).agrees
        if same and step in found.weights:
            same = compare_steps(
                {step: echo.weights[step]}, {step: found.weights[step]}, names, "weight", tolerance.weights / MARGIN
            ).agrees
        if not same:
            return step - 1
    return steps
