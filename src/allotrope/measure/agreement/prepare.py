"""What the reference expects of a network in each precision, computed once for all frameworks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.errors import AllotropeError, UnsupportedError
from allotrope.frameworks.disturbed import DisturbedPrimitives
from allotrope.measure.agreement.difference import difference
from allotrope.measure.agreement.fitting import Fitted
from allotrope.measure.agreement.judge import Expectation, Tolerance
from allotrope.measure.agreement.oracle import (
    FirstStep,
    first_step,
    in_dtypes_of,
    rounded_operators,
    values,
)
from allotrope.measure.agreement.step_files import Arrays
from allotrope.measure.agreement.task import Computation


@dataclass(frozen=True)
class Expectations:
    """What is expected, by precision, and what cannot be compared and why.

    `wide` is the task in float64, of which slopes are taken, None where float32 alone can be
    compared; `seconds` are of one pass of the reference.
    """

    expected: Mapping[str, Expectation]
    notes: tuple[str, ...]
    wide: Computation | None = None
    seconds: float = 0.0


def prepare(
    fitted: Fitted,
    tolerances: Mapping[str, Tolerance],
    training: bool,
    say: Callable[[str], None],
) -> Expectations:
    """The expectations of the precisions of `tolerances`, without slopes, for a task in float32.

    Raises: UnsupportedError for operators without a meaning.
    """
    say("reference: outputs")
    task = whole(fitted)
    rounding = rounded_operators(task.network)
    if rounding:
        return _as_it_is(task, tolerances, rounding, training, say)
    wide = replace(task, precision="float64")
    began = time.perf_counter()
    outputs = values(wide.network, wide.probes, wide.inputs())
    seconds = time.perf_counter() - began
    exact = Exact(outputs, values(wide.network, wide.probes, wide.inputs(), True))
    notes: tuple[str, ...] = ()
    if training:
        exact, notes = _with_first_step(exact, wide, say)
    expected = {}
    for precision, tolerance in tolerances.items():
        own = replace(task, precision=precision)
        # In float64 rounding is far below what is allowed, but for rows of huge numbers.
        rounds = precision == "float32" or bool(fitted.hidden)
        if rounds:
            expected[precision] = _rounding(own, tolerance, exact)
        else:
            expected[precision] = _exact(own, tolerance, exact)
    return Expectations(expected, notes, wide, seconds)


@dataclass(frozen=True)
class Exact:
    """What float64 says: outputs of all nodes, in training too, and the first training step."""

    outputs: Arrays
    training_outputs: Arrays
    first: FirstStep | None = None


def whole(fitted: Fitted) -> Computation:
    """The task with what a run tells: values to compare, shapes of float outputs, their size."""
    task, computed = fitted.task, fitted.values
    outputs = {v.name: computed[v.name] for v in task.network.outputs if v.name in computed}
    floats = {name: array for name, array in outputs.items() if array.dtype.kind == "f"}
    squares = [np.square(array, dtype=np.float64).reshape(-1) for array in floats.values()]
    every = np.concatenate(squares or [np.zeros(0)])
    scale = 1.0
    if every.size and np.isfinite(every).all():
        scale = float(np.sqrt(every.mean()))
    shapes = {name: array.shape for name, array in floats.items()}
    return replace(task, outputs=shapes, scale=scale or 1.0, probes=tuple(computed))


def _exact(task: Computation, tolerance: Tolerance, exact: Exact) -> Expectation:
    """What float64 found, as it is."""
    return Expectation(task, tolerance, exact.outputs, exact.training_outputs, first=exact.first)


def _rounding(task: Computation, tolerance: Tolerance, exact: Exact) -> Expectation:
    """What float64 found, rounded to the task's precision, with the noise of computing in that.

    Left out are values of which no more can be said, such as an index that rounding decides.
    """
    noise, training_noise = (_noise(task, trains, exact) for trains in (False, True))
    sure = tuple(n for n in task.probes if math.isfinite(noise[n][1] + training_noise[n][1]))
    rounded = Expectation(
        replace(task, probes=sure),
        tolerance,
        {name: noise[name][0] for name in sure},
        {name: training_noise[name][0] for name in sure},
        noise={name: noise[name][1] for name in sure},
        training_noise={name: training_noise[name][1] for name in sure},
    )
    if exact.first is None:
        return rounded
    own = first_step(task, DisturbedPrimitives(task.seed))
    state = in_dtypes_of(exact.first.state, task.network.weights)
    loss_noise = difference(np.array(own.loss), np.array(exact.first.loss)).error
    first_noise = {**_errors(own.state, state), "": loss_noise}
    return replace(rounded, first=FirstStep(exact.first.loss, state), first_noise=first_noise)


def _noise(task: Computation, training: bool, exact: Exact) -> dict[str, tuple[np.ndarray, float]]:
    """For each value what is expected, and how far rounding may take it, by disturbed sums.

    Sums that are disturbed may lead elsewhere, as where a sum is compared with a number; NumPy's
    own then tell what is sure.
    """
    if training:
        exactly = exact.training_outputs
    else:
        exactly = exact.outputs
    try:
        computed = _run(task, training, DisturbedPrimitives(task.seed))
        wanted = in_dtypes_of(exactly, computed)
        noise = _errors(computed, wanted)
    except (AllotropeError, ArithmeticError, IndexError, KeyError, ValueError):
        noise = dict.fromkeys(exactly, math.inf)
    if not all(math.isfinite(error) for error in noise.values()):
        computed = _run(task, training, None)
        wanted = in_dtypes_of(exactly, computed)
        plain = _errors(computed, wanted)
        noise = {n: e if math.isfinite(e) else plain[n] for n, e in noise.items()}
    return {name: (wanted[name], error) for name, error in noise.items()}


def _run(task: Computation, training: bool, p: DisturbedPrimitives | None) -> dict[str, np.ndarray]:
    return values(task.network, task.probes, task.inputs(), training, p)


def _errors(actual: Arrays, expected: Arrays) -> dict[str, float]:
    return {name: difference(actual[name], array).error for name, array in expected.items()}


def _as_it_is(
    task: Computation,
    tolerances: Mapping[str, Tolerance],
    rounding: Sequence[str],
    training: bool,
    say: Callable[[str], None],
) -> Expectations:
    """A network that depends on how float32 rounds: compared in that alone, without slopes."""
    note = f"float64 is left out: {', '.join(rounding)} depend on how float32 rounds"
    if "float32" not in tolerances:
        raise UnsupportedError(f"{note}. Check it with --precision float32.")
    exact = Exact(_run(task, False, None), _run(task, True, None))
    notes: tuple[str, ...] = ()
    if training:
        exact, notes = _with_first_step(exact, task, say)
    return Expectations({"float32": _exact(task, tolerances["float32"], exact)}, (note, *notes))


def _with_first_step(
    exact: Exact, task: Computation, say: Callable[[str], None]
) -> tuple[Exact, tuple[str, ...]]:
    """With what is expected of the first training step; where there is no training, the reason."""
    say("reference: first training step")
    try:
        return replace(exact, first=first_step(task)), ()
    except UnsupportedError as error:
        return exact, (f"training is left out: {error}",)
