"""`check`: one network, its inputs and batches in every framework, held to the reference."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from allotrope.errors import UsageError, unknown_name
from allotrope.measure.agreement.proof import Proof
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.progress import display

if TYPE_CHECKING:
    from allotrope.measure.agreement.judge import Tolerance

LENGTH, SIDE = 3, 64
"""What a free dimension is by default: small, and not what others are; and that of a map, which
pooling makes smaller."""


def check(
    network: str | Path | Network,
    *,
    frameworks: Sequence[str] | None = None,
    precision: Sequence[str] = ("float64", "float32"),
    steps: int = 20,
    batch: int | None = None,
    dimensions: Sequence[str] = (),
    values: Sequence[str] = (),
    tasks: Sequence[str] = (),
    missing: float = 0.0,
    seed: int = 0,
    learning_rate: float = 0.01,
    directions: int = 24,
    output_tolerance: float = 1e-10,
    gradient_tolerance: float = 1e-9,
    loss_tolerance: float = 1e-8,
    slope_tolerance: float = 1e-5,
    float32_tolerance: float = 1e-5,
    parting: float = 1e-3,
    threads: int | None = None,
    quiet: bool = False,
) -> Proof:
    """Prove that a network is the same everywhere: every node, gradients, and a training.

    Example: allotrope check model.onnx --frameworks pytorch --frameworks jax

    Errors are relative to the scale of an array: its largest absolute value that is no mask. A
    framework that is missing or fails is a row with its reason. The exit code is 1 where something
    departs, or a framework that was named could not be compared.

    Args:
        network: an ONNX file, or a network.
        frameworks: which to compare; all by default.
        precision: float64, float32 or both.
        steps: training steps; 0 for none.
        batch: the batch size, where the first dimension of the inputs is free; by default 8, or 4
            or 2 where an example is large.
            A batch of 1 is tried as well.
        dimensions: lengths of other free dimensions, such as sequence=128; by default 3, and 64 for
            height and width, or what fits.
        values: what random values inputs get, such as mask=padding or ids=0..99, where names and
            uses do not tell. There are:
            normal, uniform, mask, padding, added-mask, positions, LOW..HIGH, lengths:N, NUMBER.
        tasks: kinds of tasks that outputs are trained for, such as label=classification or
            age=regression; there is multilabel too.
            By default the squared error of all outputs, or cross-entropy of a single row of a
            network of raw bytes.
        missing: the part of the labels of these tasks that is missing, at random, such as 0.3.
        seed: decides inputs, targets, directions and dropout.
        learning_rate: of the training.
        directions: finite differences are taken along at most so many, each of a few weights, and
            along half as many in training.
        output_tolerance: the largest error of outputs, and of the first step's loss and state, in
            float64.
        gradient_tolerance: the largest error of gradients between frameworks, in float64.
        loss_tolerance: the largest error of losses in float64; ten times that for weights and
            state.
        slope_tolerance: the largest error of gradients against finite differences of the reference,
            in float64.
        float32_tolerance: the largest error of outputs, and of the first step's loss and state, in
            float32; ten times that for gradients.
        parting: the difference of float32 losses at which they are said to part; that is no
            departure.
        threads: processor threads of each process; by default the cores are shared by processes
            side by side, at most four.
        quiet: show nothing while working.

    Raises: ModelError for a file that is broken, UnsupportedError for operators without a meaning,
    UsageError for options that do not fit.
    """
    from allotrope.frameworks import named
    from allotrope.measure.agreement.judge import Tolerance
    from allotrope.measure.agreement.options import Options
    from allotrope.measure.agreement.proving import prove
    from allotrope.measure.inputs import batch_names, fitting_batch, parse_lengths

    _check_numbers(
        steps=steps,
        batch=(1 if batch is None else batch) - 1,
        threads=(threads or 1) - 1,
        directions=directions - 2,
    )
    if not 0 <= missing < 1:
        raise UsageError(f"--missing is {missing:g}, expected from 0 to below 1.")
    names, precisions = named(frameworks), _precisions(precision)
    float64 = Tolerance(
        outputs=output_tolerance,
        gradients=gradient_tolerance,
        slopes=slope_tolerance,
        first_step=output_tolerance,
        losses=loss_tolerance,
        weights=10 * loss_tolerance,
    )
    both = {"float64": float64, "float32": _float32(float32_tolerance)}
    called = network.graph.name if isinstance(network, Network) else str(network)
    with display(quiet) as show, tempfile.TemporaryDirectory() as scratch:
        loaded = _loaded(network, show.say)
        loaded.save(Path(scratch) / "network.onnx")
        size = batch or fitting_batch(loaded.inputs)
        asked = parse_lengths(dimensions, loaded.inputs)
        lengths = {**_lengths(loaded.inputs, size), **asked}
        free = [
            name for name in lengths if name not in asked and name not in batch_names(loaded.inputs)
        ]
        options = Options(
            steps=steps,
            batch=size,
            lengths=lengths,
            free=free,
            values=_kinds(values, "an input and its kind of values, such as ids=0..99"),
            tasks=_kinds(tasks, "an output and its kind of task, such as label=classification"),
            missing=missing,
            seed=seed,
            learning_rate=learning_rate,
            directions=directions,
            parting=parting,
            threads=threads,
        )
        return prove(
            called,
            Path(scratch) / "network.onnx",
            list(names),
            {name: both[name] for name in precisions},
            options,
            list(names) if frameworks else [],
            show.say,
        )


def _loaded(network: str | Path | Network, say: Callable[[str], None]) -> Network:
    """The network as it is checked, in floats of 32 bits or more."""
    from allotrope.frameworks.widening import SINGLE
    from allotrope.network.reading.read import load

    loaded = network if isinstance(network, Network) else load(network, report=say)
    if not SINGLE.concerns(loaded):
        return loaded
    say("float16 and bfloat16 are computed as float32: how they round is no meaning")
    return SINGLE.network(loaded)


def _float32(tolerance: float) -> Tolerance:
    """What float32 is held to, of which trainings may part."""
    from allotrope.measure.agreement.judge import Tolerance

    return Tolerance(tolerance, 10 * tolerance, 1e-2, tolerance, None, None)


def _lengths(inputs: Sequence[Value], batch: int) -> dict[str, int]:
    """The usual length of every free dimension; a name such as `past + sequence` is a sum."""
    from allotrope.measure.inputs import named_lengths

    lengths = named_lengths(inputs, batch, {})
    for shape in (value.shape or () for value in inputs):
        is_map = len(shape) == 4
        for axis, length in enumerate(shape):
            if not isinstance(length, int) and (axis or length):
                lengths.setdefault(length or "", SIDE if is_map and axis > 1 else LENGTH)
    for name in lengths:
        parts = [part.strip() for part in name.split("+")]
        if len(parts) > 1:
            lengths[name] = sum(int(p) if p.isdecimal() else lengths.get(p, LENGTH) for p in parts)
    return lengths


def _kinds(texts: Sequence[str], expected: str) -> dict[str, str]:
    """Kinds by name, of texts such as `ids=0..99`. Raises: UsageError for one without a name."""
    kinds = {}
    for text in texts:
        name, equals, kind = text.rpartition("=")
        if not equals or not name:
            raise UsageError(f"'{text}' is not {expected}.")
        kinds[name] = kind
    return kinds


def _precisions(precision: Sequence[str]) -> list[str]:
    """Raises: UsageError for a name that is no precision."""
    from allotrope.measure.agreement.task import PRECISIONS

    for name in _split(precision):
        if name not in PRECISIONS:
            raise unknown_name("precision", name, PRECISIONS)
    return [name for name in PRECISIONS if name in _split(precision)]


def _split(names: Sequence[str]) -> list[str]:
    """Names that were given one by one or with commas between them.

    One text is one or several of them.
    """
    texts = [names] if isinstance(names, str) else names
    return [name.strip() for text in texts for name in text.split(",")]


def _check_numbers(**numbers: int) -> None:
    wrong = [name for name, number in numbers.items() if number < 0]
    if wrong:
        raise UsageError(f"{', '.join(wrong)} must be at least 1 (steps 0, directions 2).")
