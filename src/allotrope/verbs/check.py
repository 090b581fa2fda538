"""`check`: the same network, inputs and batches in every framework, each in its own process, held to the float64 reference."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from allotrope.errors import UsageError, unknown_name
from allotrope.network.network import Network
from allotrope.progress import display

if TYPE_CHECKING:
    from allotrope.measure.agreement.judge import Expectation, Row, Tolerance
    from allotrope.measure.agreement.proof import Proof

ROOM = 256 * 2**20
"""Bytes on disk that the weights of one framework's training may take; beyond that they are kept after fewer steps."""

LENGTH = 3
"""What a free dimension is by default: small, and not what the others are."""


def check(
    network: Annotated[str | Path | Network, Parameter(accepts_keys=False)],
    *,
    frameworks: Sequence[str] | None = None,
    precision: Sequence[str] = ("float64", "float32"),
    steps: int = 20,
    batch: int = 8,
    dimensions: Sequence[str] = (),
    seed: int = 0,
    learning_rate: float = 0.01,
    output_tolerance: float = 1e-10,
    gradient_tolerance: float = 1e-9,
    loss_tolerance: float = 1e-8,
    slope_tolerance: float = 1e-5,
    float32_tolerance: float = 1e-5,
    parting: float = 1e-3,
    threads: int | None = None,
    quiet: bool = False,
) -> Proof:
    """Prove that a network is the same in every framework: outputs of every node, gradients, and a training, step by step.

    Example: allotrope check model.onnx --frameworks pytorch --frameworks jax

    Errors are relative to the scale of an array: its largest absolute value that is no mask. A framework that is missing or
    fails is a row with its reason. The exit code is 1 where something departs, or a framework that was named could not be compared.

    Args:
        network: an ONNX file, or a network.
        frameworks: which to compare; all by default.
        precision: float64, float32 or both.
        steps: training steps; 0 for none.
        batch: the batch size, where the first dimension of the inputs is free.
        dimensions: lengths of other free dimensions, such as sequence=128; 3 by default.
        seed: decides inputs, targets, directions and dropout.
        learning_rate: of the training.
        output_tolerance: the largest error of outputs, and of the first step's loss and state, in float64.
        gradient_tolerance: the largest error of gradients between frameworks, in float64.
        loss_tolerance: the largest error of losses in float64; ten times that for weights and state.
        slope_tolerance: the largest error of gradients against finite differences of the reference, in float64.
        float32_tolerance: the largest error of outputs, and of the first step's loss and state, in float32; ten times that for gradients.
        parting: the difference of float32 losses at which they are said to part; that is no departure.
        threads: processor threads of each process; all cores by default.
        quiet: show nothing while working.

    Raises: ModelError for a file that is broken, UnsupportedError for operators without a meaning, UsageError for options that do not fit.
    """
    from allotrope.measure.agreement.judge import Tolerance

    began = time.perf_counter()
    _check_numbers(steps=steps, batch=batch - 1, threads=(threads or 1) - 1)
    names, precisions = _names(frameworks), _precisions(precision)
    both = {
        "float64": Tolerance(output_tolerance, gradient_tolerance, slope_tolerance, output_tolerance, loss_tolerance, 10 * loss_tolerance),
        "float32": Tolerance(float32_tolerance, 10 * float32_tolerance, 1e-2, float32_tolerance, None, None),
    }
    with display(quiet) as show, tempfile.TemporaryDirectory() as scratch:
        file, lengths = _file(network, Path(scratch), batch, dimensions)
        options = {"batch": batch, "seed": seed, "learning_rate": learning_rate, "steps": steps, "lengths": lengths}
        found = _compared(file, names, {name: both[name] for name in precisions}, options, parting, threads, show.say)
    called = str(network) if not isinstance(network, Network) else network.graph.name
    return _proof({"network": called, **found, "seconds": time.perf_counter() - began}, _split(frameworks) if frameworks else None)


def _compared(
    file: Path,
    names: Sequence[str],
    tolerances: Mapping[str, Tolerance],
    options: dict[str, Any],
    parting: float,
    threads: int | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Everything but the verdict."""
    from allotrope.frameworks import missing
    from allotrope.measure.agreement.judge import judge, partings
    from allotrope.measure.agreement.prepare import prepare
    from allotrope.measure.agreement.proof import missing_row
    from allotrope.measure.agreement.recording import record, steps_kept
    from allotrope.measure.machine import cores

    steps = options["steps"]
    made = (options[key] for key in ("batch", "lengths", "seed", "learning_rate"))
    prepared = prepare(str(file), tolerances, *made, bool(steps), say)
    reasons = {name: reason for name in names if (reason := missing(name)) is not None}
    recordings = []
    for precision, expected in prepared.expected.items():
        kept = steps_kept(steps, sum(array.nbytes for array in expected.task.network.weights.values()), ROOM)
        kept = kept if precision == "float64" else [1]
        for name in (name for name in names if name not in reasons):
            tell = _teller(say, f"{name} {precision}")
            arguments = steps if expected.first else 0, kept, threads or cores(), file.parent / precision / name
            recordings.append(record(name, expected.task, *arguments, tell))
            if recordings[-1].failure:
                tell(f"failed: {recordings[-1].failure}")
    rows = judge(recordings, prepared.expected)
    return {
        **_facts(prepared.expected, options),
        "rows": [*_plain_rows(rows), *(missing_row(name, reason) for name, reason in reasons.items())],
        "partings": {"limit": parting, "frameworks": partings(rows, "float32", parting)},
        "notes": list(prepared.notes),
    }


def _facts(expected: Mapping[str, Expectation], options: Mapping[str, Any]) -> dict[str, Any]:
    from allotrope.measure.machine import machine

    one = next(iter(expected.values()))
    loss = None if one.first is None else "cross-entropy" if one.task.classifies else "squared error"
    counts = {"nodes": len(one.task.network.graph.nodes), "weights": len(one.task.network.weights)}
    return {**counts, **options, "loss": loss, "machine": machine()}


def _plain_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sorted by framework, in the order in which they came."""
    from allotrope.measure.agreement.proof import row_of

    order = list(dict.fromkeys(row.recording.framework for row in rows))
    return [row_of(row) for row in sorted(rows, key=lambda row: order.index(row.recording.framework))]


def _proof(found: dict[str, Any], named: Sequence[str] | None) -> Proof:
    from allotrope.measure.agreement.proof import Proof, agreement

    return Proof({**found, "agrees": agreement(found["rows"], named)})


def _file(network: str | Path | Network, scratch: Path, batch: int, dimensions: Sequence[str]) -> tuple[Path, dict[str, int]]:
    """The network in a file of our own, which every process reads, and the length of every free dimension."""
    from allotrope.measure.inputs import parse_lengths
    from allotrope.network.read import load

    loaded = network if isinstance(network, Network) else load(network)
    loaded.save(scratch / "network.onnx")
    free = [dimension for value in loaded.inputs for dimension in (value.shape or ()) if not isinstance(dimension, int)]
    first = {value.shape[0] for value in loaded.inputs if value.shape and isinstance(value.shape[0], str)}
    lengths = {name or "": batch if name in first else LENGTH for name in free}
    return scratch / "network.onnx", {**lengths, **parse_lengths(dimensions, loaded.inputs)}


def _names(frameworks: Sequence[str] | None) -> list[str]:
    """Raises: UsageError for a name that is no framework to compare."""
    from allotrope.frameworks import FRAMEWORKS

    known = [name for name in FRAMEWORKS if name != "reference"]
    names = known if frameworks is None else list(dict.fromkeys(_split(frameworks)))
    for name in names:
        if name not in known:
            raise unknown_name("framework", name, known)
    return names


def _precisions(precision: Sequence[str]) -> list[str]:
    """Raises: UsageError for a name that is no precision."""
    from allotrope.measure.agreement.task import PRECISIONS

    for name in _split(precision):
        if name not in PRECISIONS:
            raise unknown_name("precision", name, PRECISIONS)
    return [name for name in PRECISIONS if name in _split(precision)]


def _split(names: Sequence[str]) -> list[str]:
    """Names that were given one by one or with commas between them; one text is one or several of them."""
    texts = [names] if isinstance(names, str) else names
    return [name.strip() for text in texts for name in text.split(",")]


def _check_numbers(**numbers: int) -> None:
    wrong = [name for name, number in numbers.items() if number < 0]
    if wrong:
        raise UsageError(f"{', '.join(wrong)} must be at least {'0 (steps) or 1'}.")


def _teller(say: Callable[[str], None], who: str) -> Callable[[str], None]:
    return lambda line: say(f"{who}: {line}")
