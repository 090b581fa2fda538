"""The same computation from weights a little off: what rounding does to training and slopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from allotrope.measure.agreement.check_plan import Options
from allotrope.measure.agreement.judge import SINGLE, Expectation, Row, leader_of, source_of
from allotrope.measure.agreement.recording import Recorder, Recording, teller
from allotrope.measure.agreement.settling import (
    KINKED,
    NUDGE,
    gradient_noise,
    has_departed,
    settled_steps,
)


def settled(
    judged: Sequence[Row],
    expected: Mapping[str, Expectation],
    options: Options,
    scratch: Path,
    say: Callable[[str], None],
) -> dict[str, tuple[int, str]]:
    """By precision in which a training departs: how many steps can be compared, and why."""
    certain = {}
    for precision, expectation in expected.items():
        leader = leader_of(judged, precision)
        if leader is None or not has_departed(judged, precision):
            continue
        name, computation = (
            leader.recording.framework,
            replace(expectation.computation, nudge=NUDGE),
        )
        tell = teller(name, computation, say)
        tell(
            f"once more from weights moved by {NUDGE:.0e} of themselves, "
            "to see what rounding alone does"
        )
        folder, saved = scratch / precision / f"{name}-echo", options.kept(computation)
        with Recorder(name, options.own_threads) as recorder:
            echo = recorder.record(computation, options.steps, saved, folder, tell, ("training",))
        steps = settled_steps(echo, leader.recording, expectation)
        if not echo.failure and steps < options.steps:
            certain[precision] = (steps, _note(precision, steps, name))
    return certain


def _note(precision: str, steps: int, name: str) -> str:
    return (
        f"Trainings in {precision} are compared up to step {steps}: then rounding alone decides. "
        f"{name} itself goes elsewhere from weights {NUDGE:.0e} off. "
        "A lower --learning-rate or a larger --batch may keep them together longer."
    )


def with_gradient_noise(
    judged: Sequence[Row],
    expected: Mapping[str, Expectation],
    options: Options,
    scratch: Path,
    say: Callable[[str], None],
) -> Mapping[str, Expectation]:
    """The expectations; if float32 gradients depart, with what rounding may do at a kink."""
    source, parts = source_of(judged), ("gradients", SINGLE["gradients"])
    if source is None or source.recording.gradients is None:
        return expected
    if not has_departed(judged, "float32", parts):
        return expected
    recording = source.recording
    own, name = expected[recording.precision], recording.framework
    tell = teller(name, own.computation, say)
    tell("gradients from weights moved by float32's rounding, to see whether a kink is near")
    folder = scratch / recording.precision
    with Recorder(name, options.own_threads) as recorder:
        echoes = [
            _gradients(recorder, own, part, folder / f"{name}-off-by-{part}", tell)
            for part in KINKED
        ]
    narrow = replace(expected["float32"], gradient_noise=_noise_of(echoes, recording))
    alone = [echo.single for echo in echoes if echo.single is not None]
    if narrow.single is not None and recording.single is not None and alone:
        noise = _noise_of(alone, recording.single)
        narrow = replace(narrow, single=replace(narrow.single, gradient_noise=noise))
    return {**expected, "float32": narrow}


def _gradients(
    recorder: Recorder,
    expected: Expectation,
    part: float,
    folder: Path,
    tell: Callable[[str], None],
) -> Recording:
    """From weights moved by a part of themselves."""
    computation, single = replace(expected.computation, nudge=part), None
    if expected.single is not None:
        single = replace(expected.single.computation, nudge=part)
    return recorder.record(computation, 0, [], folder, tell, ("gradients",), single)


def _noise_of(echoes: Sequence[Recording], recording: Recording) -> dict[str, float]:
    moved = [echo.gradients for echo in echoes if echo.gradients is not None]
    return gradient_noise(moved, recording.gradients or {})
