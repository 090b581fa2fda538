"""What the reference expects of a network in each precision, computed once for all frameworks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.errors import AllotropeError, UnsupportedError, UsageError
from allotrope.measure.agreement.arrays import Arrays
from allotrope.measure.agreement.difference import difference
from allotrope.measure.agreement.judge import Expectation, Tolerance
from allotrope.measure.agreement.oracle import FirstStep, first_step, in_dtypes_of, output_slopes, rounded_operators, values
from allotrope.measure.agreement.probe import moving_values
from allotrope.measure.agreement.slopes import Slope
from allotrope.measure.agreement.task import Task


@dataclass(frozen=True)
class Prepared:
    """What is expected, by precision, and what cannot be compared and why."""

    expected: Mapping[str, Expectation]
    notes: tuple[str, ...]


def prepare(task: Task, tolerances: Mapping[str, Tolerance], directions: int, training: bool, say: Callable[[str], None]) -> Prepared:
    """The expectations of the precisions that `tolerances` names, for a task in float32 that knows its inputs only.

    Raises: UsageError for inputs that cannot be made up, UnsupportedError for operators without a meaning.
    """
    say("reference: outputs")
    task = _whole(task)
    rounding = rounded_operators(task.network)
    if rounding:
        return _as_it_is(task, tolerances, rounding, training, say)
    wide = replace(task, precision="float64")
    outputs, training_outputs = (values(wide.network, wide.probes, wide.inputs(), trains) for trains in (False, True))
    say("reference: slopes")
    slopes = output_slopes(wide, directions, lambda line: say(f"reference: {line}")) if wide.outputs else ()
    first, notes = _first(wide, directions // 2, say) if training else (None, ())
    expected = {}
    if "float64" in tolerances:
        expected["float64"] = Expectation(wide, tolerances["float64"], outputs, training_outputs, slopes, first)
    if "float32" in tolerances:
        expected["float32"] = _narrow(task, tolerances["float32"], outputs, training_outputs, slopes, first)
    return Prepared(expected, notes)


def _narrow(
    task: Task, tolerance: Tolerance, outputs: Arrays, training_outputs: Arrays, slopes: Sequence[Slope], first: FirstStep | None
) -> Expectation:
    """What float64 found, rounded to float32, with the noise of computing in float32.

    Left out are values of which no more can be said, such as an index that rounding decides.
    """
    native, native_training = (values(task.network, task.probes, task.inputs(), trains) for trains in (False, True))
    wanted, wanted_training = in_dtypes_of(outputs, native), in_dtypes_of(training_outputs, native_training)
    noise, training_noise = _noise(native, wanted), _noise(native_training, wanted_training)
    sure = tuple(name for name in task.probes if math.isfinite(noise[name] + training_noise[name]))
    found = Expectation(
        replace(task, probes=sure),
        tolerance,
        {name: wanted[name] for name in sure},
        {name: wanted_training[name] for name in sure},
        slopes,
        noise=noise,
        training_noise=training_noise,
    )
    if first is None:
        return found
    own = first_step(task, 0, lambda line: None)
    state = in_dtypes_of(first.state, task.network.weights)
    first_noise = {**_noise(own.state, state), "": difference(np.array(own.loss), np.array(first.loss)).error}
    return replace(found, first=FirstStep(first.loss, state, ()), first_noise=first_noise)


def _noise(found: Arrays, expected: Arrays) -> dict[str, float]:
    return {name: difference(found[name], array).error for name, array in expected.items()}


def _whole(task: Task) -> Task:
    """The task with what only a first run tells: the values that can be compared, the shapes of float outputs and their size."""
    found = _tried(task)
    outputs = {value.name: found[value.name] for value in task.network.outputs if value.name in found}
    floats = {name: array for name, array in outputs.items() if array.dtype.kind == "f"}
    squares = np.concatenate([np.square(array, dtype=np.float64).reshape(-1) for array in floats.values()] or [np.zeros(0)])
    scale = float(np.sqrt(squares.mean())) if squares.size and np.isfinite(squares).all() else 1.0
    return replace(task, outputs={name: array.shape for name, array in floats.items()}, scale=scale or 1.0, probes=tuple(found))


def _tried(task: Task) -> dict[str, np.ndarray]:
    """All that nodes compute. Raises: UsageError where the made-up inputs do not fit the network."""
    inputs = task.inputs()
    try:
        return values(task.network, moving_values(task.network), inputs)
    except AllotropeError:
        raise
    except Exception as error:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
        raise UsageError(
            f"the reference cannot compute the network with inputs of the shapes {shapes}: {error}. "
            "Where lengths are free, say which it takes with --dimensions (such as height=64) and --batch."
        ) from error


def _as_it_is(
    task: Task, tolerances: Mapping[str, Tolerance], rounding: Sequence[str], training: bool, say: Callable[[str], None]
) -> Prepared:
    """A network that depends on how float32 rounds: it is compared in its own precision only, without slopes."""
    note = f"float64 is left out: {', '.join(rounding)} depend on how float32 rounds"
    if "float32" not in tolerances:
        raise UnsupportedError(f"{note}. Check it with --precision float32.")
    first, notes = _first(task, 0, say) if training else (None, ())
    outputs, training_outputs = (values(task.network, task.probes, task.inputs(), trains) for trains in (False, True))
    expected = Expectation(task, tolerances["float32"], outputs, training_outputs, (), first)
    return Prepared({"float32": expected}, (note, *notes))


def _first(task: Task, directions: int, say: Callable[[str], None]) -> tuple[FirstStep | None, tuple[str, ...]]:
    """What is expected of the first training step; where there is no training, the reason."""
    say("reference: first training step")
    try:
        return first_step(task, directions, lambda line: say(f"reference: {line} in training")), ()
    except UnsupportedError as error:
        return None, (f"training is left out: {error}",)
