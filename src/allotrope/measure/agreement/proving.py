"""The check as a whole: what is expected, each framework's answers, and the judgement."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from allotrope.frameworks import framework, missing
from allotrope.measure.agreement.check_plan import Options
from allotrope.measure.agreement.check_result import Proof, agreement, missing_row, row_of
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.echoes import settled, with_gradient_noise
from allotrope.measure.agreement.fitting import alone, fitted
from allotrope.measure.agreement.judge import (
    Expectation,
    Tolerance,
    judge,
    partings,
    trusted_framework,
)
from allotrope.measure.agreement.prepare import Expectations, prepare
from allotrope.measure.agreement.recording import Recorder, Recording, teller
from allotrope.measure.agreement.slopes import Slope
from allotrope.measure.agreement.sloping import Sloper
from allotrope.measure.machine import machine

LONG_TRAINING = 7.0
"""Seconds of NumPy in as many passes as there are training steps, from which these are long."""

LARGE = 256 * 2**20
"""Bytes of weights beyond which processes run one after the other, for the sake of memory."""


def prove(
    called: str,
    file: Path,
    names: Sequence[str],
    tolerances: Mapping[str, Tolerance],
    options: Options,
    named: Sequence[str],
    say: Callable[[str], None],
) -> Proof:
    """The network in `file` in the frameworks `names`, in the precisions of `tolerances`.

    Those that are `named` must be compared.

    The file's folder takes what is recorded. Raises: UsageError, UnsupportedError, ModelError as
    `check` does.
    """
    began = time.perf_counter()
    prepared, hidden = preparation(file, tolerances, options, say)
    reasons = {name: reason for name in names if (reason := missing(name)) is not None}
    there = [name for name in names if name not in reasons]
    recordings = _recordings(there, prepared, options, file.parent, say)
    sloped, sources = with_slopes(recordings, prepared, hidden, options, say)
    judged = judge(recordings, sloped)
    certain = settled(judged, sloped, options, file.parent, say)
    noisy = with_gradient_noise(judged, sloped, options, file.parent, say)
    steps = {precision: steps for precision, (steps, _) in certain.items()}
    # Comparing takes as long as a framework's answers: not again unless something is known anew.
    if steps or noisy is not sloped:
        judged = judge(recordings, noisy, steps)
    rows = [row_of(row) for name in there for row in judged if row.recording.framework == name]
    rows += [missing_row(name, reason) for name, reason in reasons.items()]
    notes = [
        *prepared.notes,
        *sources,
        *_notes(recordings),
        *(note for _, note in certain.values()),
    ]
    return Proof(
        {
            "network": called,
            **_facts(prepared.expected),
            **_asked(options, prepared.expected),
            "rows": rows,
            "partings": partings(judged, "float32", options.parting),
            "notes": notes,
            "agrees": agreement(rows, named),
            "seconds": time.perf_counter() - began,
        }
    )


def _asked(options: Options, expected: Mapping[str, Expectation]) -> dict[str, Any]:
    """The options, with the lengths and kinds of inputs that they came to."""
    computation = next(iter(expected.values())).computation
    left = {name: value for name, value in asdict(options).items() if name != "free"}
    return {**left, "lengths": dict(computation.lengths), "values": dict(computation.kinds)}


def preparation(
    file: Path,
    tolerances: Mapping[str, Tolerance],
    options: Options,
    say: Callable[[str], None],
) -> tuple[Expectations, Mapping[str, int]]:
    """What the reference expects, of a batch of 1 too, and the rows that see nothing."""
    how = (options.batch, options.lengths, options.seed, options.learning_rate)
    computation = Computation(
        str(file), "float32", *how, tasks=options.tasks, missing=options.missing
    )
    fit = fitted(computation, options.values, options.free, say)
    prepared = prepare(fit, tolerances, options.steps > 0, say)
    single = alone(fit)
    if single is None:
        return prepared, fit.hidden
    say("reference: a batch of 1")
    singles = prepare(single, tolerances, False, lambda line: None).expected
    expected = {
        precision: replace(one, single=singles[precision])
        for precision, one in prepared.expected.items()
    }
    return replace(prepared, expected=expected), fit.hidden


def _recordings(
    names: Sequence[str],
    prepared: Expectations,
    options: Options,
    scratch: Path,
    say: Callable[[str], None],
) -> list[Recording]:
    """What every framework answers, some side by side; those that compile longest begin."""
    expected = prepared.expected
    long = options.steps * prepared.seconds > LONG_TRAINING
    beside = _beside(expected, options)
    jobs = _jobs(names, list(expected.values()), beside)
    with ThreadPoolExecutor(beside) as pool:
        asked = [pool.submit(_recorded, *job, options, scratch, say, long) for job in jobs]
        recordings = [recording for job in asked for recording in job.result()]
    order = list(expected)
    return sorted(
        recordings, key=lambda one: (order.index(one.precision), names.index(one.framework))
    )


Job = tuple[str, list[Expectation]]
"""What one process computes: in which framework, and what."""


def _jobs(names: Sequence[str], expected: list[Expectation], beside: int) -> list[Job]:
    """One for both precisions of a framework, if that leaves no processor without one.

    It is imported once then. What compiles has a process for each: that takes longer than all that
    others do, and float64 is compiled with options of its own.
    """
    compiling = [name for name in names if _compiles(name)]
    others = [name for name in names if name not in compiling]
    apart = [(name, [one]) for one in expected for name in compiling]
    if len(apart) + len(others) >= beside:
        return apart + [(name, expected) for name in others]
    return apart + [(name, [one]) for one in expected for name in others]


def _compiles(name: str) -> bool:
    """Whether the framework compiles a whole network."""
    return name == "jax" or (name == "keras" and framework(name).engine == "jax")


def _beside(expected: Mapping[str, Expectation], options: Options) -> int:
    """How many processes at once: one for large networks, for the sake of memory."""
    one = next(iter(expected.values()))
    size = sum(array.nbytes for array in one.computation.network.weights.values())
    return options.beside if size <= LARGE else 1


def _recorded(
    name: str,
    expected: Sequence[Expectation],
    options: Options,
    scratch: Path,
    say: Callable[[str], None],
    long: bool,
) -> list[Recording]:
    """What one framework answers, in one process."""
    recordings = []
    with Recorder(name, options.own_threads, long) as recorder:
        for one in expected:
            computation, tell = one.computation, teller(name, one.computation, say)
            steps = options.steps if one.first else 0
            folder = scratch / computation.precision / name
            single = None if one.single is None else one.single.computation
            saved = options.kept(computation)
            recordings.append(
                recorder.record(computation, steps, saved, folder, tell, single=single)
            )
            if recordings[-1].failure:
                tell(f"failed: {recordings[-1].failure}")
    return recordings


def with_slopes(
    recordings: Sequence[Recording],
    prepared: Expectations,
    hidden: Mapping[str, int],
    options: Options,
    say: Callable[[str], None],
) -> tuple[dict[str, Expectation], list[str]]:
    """The expectations with finite differences, if none are hidden, and who took them."""
    expected, wide = dict(prepared.expected), prepared.wide
    if wide is None or hidden or not wide.outputs:
        return expected, []
    one = next(iter(expected.values()))
    trusted = trusted_framework(recordings, prepared.expected)
    sloper = Sloper(trusted, prepared.seconds, options.own_threads, say)
    jobs = {"slopes": (wide, "slopes", options.directions)}
    if one.first is not None:
        jobs["training"] = (wide, "training slopes", options.directions // 2)
    if one.single is not None:
        single = replace(one.single.computation, precision="float64")
        jobs["single"] = (single, "slopes", options.directions // 2)
    with ThreadPoolExecutor(_beside(expected, options)) as pool:
        asked = {name: pool.submit(sloper.slopes, *job) for name, job in jobs.items()}
        slopes = {name: job.result() for name, job in asked.items()}
    by = {who for _, who in slopes.values()} - {"reference"}
    notes = [
        f"Finite differences are of {name}, whose float64 outputs are the reference's."
        for name in sorted(by)
    ]
    return {precision: _sloped(one, slopes) for precision, one in expected.items()}, notes


def _sloped(one: Expectation, slopes: Mapping[str, tuple[Sequence[Slope], str]]) -> Expectation:
    first, single = one.first, one.single
    if first is not None and one.computation.precision == "float64":
        first = replace(first, slopes=tuple(slopes["training"][0]))
    if single is not None:
        single = replace(single, slopes=slopes["single"][0])
    return replace(one, slopes=slopes["slopes"][0], first=first, single=single)


def _notes(recordings: Sequence[Recording]) -> list[str]:
    return [f"{one.framework} {one.precision}: {note}" for one in recordings for note in one.notes]


def _facts(expected: Mapping[str, Expectation]) -> dict[str, Any]:
    one = next(iter(expected.values()))
    loss = None if one.first is None else one.computation.loss_in_words
    network = one.computation.network
    return {
        "nodes": len(network.graph.nodes),
        "weights": len(network.weights),
        "loss": loss,
        "machine": machine(),
    }
