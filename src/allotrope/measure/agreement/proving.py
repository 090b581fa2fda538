"""The check as a whole: what is expected, what every framework answers in its own process, and the judgement."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from allotrope.frameworks import missing
from allotrope.measure.agreement.judge import Expectation, Row, Tolerance, judge, leader_of, partings, source_of
from allotrope.measure.agreement.prepare import prepare
from allotrope.measure.agreement.proof import Proof, agreement, missing_row, row_of
from allotrope.measure.agreement.recording import Recording, record, steps_kept
from allotrope.measure.agreement.settling import KINKED, NUDGE, gradient_noise, has_departed, settled_steps
from allotrope.measure.agreement.task import Task
from allotrope.measure.machine import cores, machine

ROOM = 256 * 2**20
"""Bytes on disk that the weights of one framework's training may take; beyond that they are kept after fewer steps."""


@dataclass(frozen=True)
class Options:
    """How a network is checked; `parting` is the difference of float32 losses that is reported, `lengths` are of free dimensions."""

    steps: int
    batch: int
    lengths: Mapping[str, int]
    seed: int
    learning_rate: float
    directions: int
    parting: float
    threads: int | None


def prove(
    called: str,
    file: Path,
    names: Sequence[str],
    tolerances: Mapping[str, Tolerance],
    options: Options,
    named: Sequence[str],
    say: Callable[[str], None],
) -> Proof:
    """The network in `file` in the frameworks `names`, in the precisions of `tolerances`. Those that are `named` must be compared.

    The file's folder takes what is recorded. Raises: UsageError, UnsupportedError, ModelError as `check` does.
    """
    began = time.perf_counter()
    task = Task(str(file), "float32", options.batch, options.lengths, options.seed, options.learning_rate)
    prepared = prepare(task, tolerances, options.directions, options.steps > 0, say)
    reasons = {name: reason for name in names if (reason := missing(name)) is not None}
    there = [name for name in names if name not in reasons]
    recordings = [_recorded(name, expected, options, file.parent, say) for expected in prepared.expected.values() for name in there]
    judged = judge(recordings, prepared.expected)
    settled = _settled(judged, prepared.expected, options, file.parent, say)
    noisy = _with_gradient_noise(judged, prepared.expected, options, file.parent, say)
    judged = judge(recordings, noisy, {precision: steps for precision, (steps, _) in settled.items()})
    rows = [row_of(row) for name in there for row in judged if row.recording.framework == name]
    rows += [missing_row(name, reason) for name, reason in reasons.items()]
    return Proof(
        {
            "network": called,
            **_facts(prepared.expected),
            **asdict(options),
            "rows": rows,
            "partings": partings(judged, "float32", options.parting),
            "notes": [*prepared.notes, *(note for _, note in settled.values())],
            "agrees": agreement(rows, named),
            "seconds": time.perf_counter() - began,
        }
    )


def _recorded(name: str, expected: Expectation, options: Options, scratch: Path, say: Callable[[str], None]) -> Recording:
    """What one framework answers."""
    task, tell = expected.task, _teller(name, expected, say)
    steps = options.steps if expected.first else 0
    found = record(name, task, steps, _kept(expected, options), options.threads or cores(), scratch / task.precision / name, tell)
    if found.failure:
        tell(f"failed: {found.failure}")
    return found


def _kept(expected: Expectation, options: Options) -> list[int]:
    """The steps after which weights are kept. In float32 only the first: later ones may part."""
    size = sum(array.nbytes for array in expected.task.network.weights.values())
    return steps_kept(options.steps, size, ROOM) if expected.task.precision == "float64" else [1]


def _teller(name: str, expected: Expectation, say: Callable[[str], None]) -> Callable[[str], None]:
    """Says whose each line is."""
    return lambda line: say(f"{name} {expected.task.precision}: {line}")


def _settled(
    judged: Sequence[Row], expected: Mapping[str, Expectation], options: Options, scratch: Path, say: Callable[[str], None]
) -> dict[str, tuple[int, str]]:
    """For each precision in which a training departs, perhaps by rounding alone: how many steps can be compared, and why."""
    found = {}
    for precision, expectation in expected.items():
        leader = leader_of(judged, precision)
        if leader is None or not has_departed(judged, precision):
            continue
        name, tell = leader.recording.framework, _teller(leader.recording.framework, expectation, say)
        tell(f"once more from weights moved by {NUDGE:.0e} of themselves, to see what rounding alone does")
        task, folder = replace(expectation.task, nudge=NUDGE), scratch / precision / f"{name}-echo"
        echo = record(name, task, options.steps, _kept(expectation, options), options.threads or cores(), folder, tell, ("training",))
        steps = settled_steps(echo, leader.recording, expectation)
        if not echo.failure and steps < options.steps:
            found[precision] = (
                steps,
                (
                    f"Trainings in {precision} are compared up to step {steps}: then rounding alone decides. {name} itself goes elsewhere "
                    f"from weights {NUDGE:.0e} off. A lower --learning-rate or a larger --batch may keep them together longer."
                ),
            )
    return found


def _with_gradient_noise(
    judged: Sequence[Row], expected: Mapping[str, Expectation], options: Options, scratch: Path, say: Callable[[str], None]
) -> Mapping[str, Expectation]:
    """The expectations, and where gradients depart in float32: with what its rounding alone does, which may lead over a kink."""
    source = source_of(judged)
    gradients = None if source is None else source.recording.gradients
    if source is None or gradients is None or not has_departed(judged, "float32", ("gradients",)):
        return expected
    recording, own = source.recording, expected[source.recording.precision]
    tell = _teller(recording.framework, own, say)
    tell("gradients from weights moved by float32's rounding, to see whether a kink is near")
    echoes = [
        record(recording.framework, replace(own.task, nudge=part), 0, [], options.threads or cores(), folder, tell, ("gradients",))
        for part in KINKED
        for folder in [scratch / recording.precision / f"{recording.framework}-off-by-{part}"]
    ]
    noise = gradient_noise([echo.gradients for echo in echoes if echo.gradients is not None], gradients)
    return {**expected, "float32": replace(expected["float32"], gradient_noise=noise)}


def _facts(expected: Mapping[str, Expectation]) -> dict[str, Any]:
    one = next(iter(expected.values()))
    loss = None if one.first is None else "cross-entropy" if one.task.classifies else "squared error"
    network = one.task.network
    return {"nodes": len(network.graph.nodes), "weights": len(network.weights), "loss": loss, "machine": machine()}
