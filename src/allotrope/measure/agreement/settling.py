"""What rounding alone does: how long a training stays put, which gradients jump a kink.

Both are found by an echo: the same computation in the same framework, from weights that begin a
little off.
"""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.measure.agreement.comparer import SMALL, compare_losses, compare_steps
from allotrope.measure.agreement.difference import difference, scale_of
from allotrope.measure.agreement.judge import TRAINED, Expectation, Row
from allotrope.measure.agreement.recording import Recording
from allotrope.measure.agreement.step_files import Arrays

NUDGE = 2.0**-46
"""The part of itself by which each weight of the echo begins off: some rounding errors, as many as
a network's outputs gather."""
KINKED = tuple(sign * 2.0**-power for power in (18, 20) for sign in (1, -1))
"""The same for gradients, each once: what float32 does to values between the weights and a kink, to
both sides."""
MARGIN = 100.0
"""The echo may differ by the tolerance divided by this: other frameworks round in more places than
where the echo was moved."""


def has_departed(rows: Sequence[Row], precision: str, names: Sequence[str] = TRAINED) -> bool:
    """Whether any of these parts, by default those of all steps, departs in this precision."""
    parts = [
        row.parts[part]
        for row in rows
        if row.recording.precision == precision
        for part in names
        if part in row.parts
    ]
    return not all(part.agrees for part in parts)


def settled_steps(echo: Recording, recording: Recording, expected: Expectation) -> int:
    """The steps after which a training and its echo, begun a little off, are still the same."""
    tolerance, names = expected.tolerance, expected.computation.trained.weights
    assert tolerance.losses is not None and tolerance.weights is not None
    steps = min(len(echo.losses), len(recording.losses))
    for step in range(1, steps + 1):
        # All losses so far, and the weights if they were kept at that step: a loss can be the same
        # by chance after weights have parted.
        same = compare_losses(
            echo.losses[:step], recording.losses[:step], tolerance.losses / MARGIN
        ).agrees
        if same and step in recording.weights:
            same = compare_steps(
                {step: echo.weights[step]},
                {step: recording.weights[step]},
                names,
                "weight",
                tolerance.weights / MARGIN,
            ).agrees
        if not same:
            return step - 1
    return steps


def gradient_noise(echoes: Sequence[Arrays], gradients: Arrays) -> dict[str, float]:
    """How far echoes begun off by float32's rounding move gradients: largest error by name."""
    # The floor that gradients are judged by, so that noise and error are in one measure.
    floor = SMALL * max((scale_of(array) for array in gradients.values()), default=0.0)
    return {
        name: max((difference(echo[name], array, floor).error for echo in echoes), default=0.0)
        for name, array in gradients.items()
    }
