"""What the reference expects of a network in each precision, computed once for all frameworks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.errors import AllotropeError, UnsupportedError
from allotrope.frameworks.disturbed import DisturbedPrimitives
from allotrope.measure.agreement.computation import Computation
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


@dataclass(frozen=True)
class Expectations:
    """What is expected, by precision, and what cannot be compared and why.

    `wide` is the computation in float64, of which slopes are taken, None where float32 alone can be
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
    """The expectations of the precisions of `tolerances`, without slopes, from one in float32.

    Raises: UnsupportedError for operators without a meaning.
    """
    say("reference: outputs")
    computation = whole(fitted)
    rounding = rounded_operators(computation.network)
    if rounding:
        return _as_it_is(computation, tolerances, rounding, training, say)
    wide = replace(computation, precision="float64")
    began = time.perf_counter()
    outputs = values(wide.network, wide.probes, wide.inputs())
    seconds = time.perf_counter() - began
    exact = Exact(outputs, values(wide.network, wide.probes, wide.inputs(), True))
    notes: tuple[str, ...] = ()
    if training:
        exact, notes = _with_first_step(exact, wide, say)
    expected = {}
    for precision, tolerance in tolerances.items():
        own = replace(computation, precision=precision)
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
    """The computation with what a run tells: values to compare, shapes and size of outputs."""
    computation, computed = fitted.computation, fitted.values
    outputs = {v.name: computed[v.name] for v in computation.network.outputs if v.name in computed}
    floats = {name: array for name, array in outputs.items() if array.dtype.kind == "f"}
    squares = [np.square(array, dtype=np.float64).reshape(-1) for array in floats.values()]
    every = np.concatenate(squares or [np.zeros(0)])
    scale = 1.0
    if every.size and np.isfinite(every).all():
        scale = float(np.sqrt(every.mean()))
    shapes = {name: array.shape for name, array in floats.items()}
    return replace(computation, outputs=shapes, scale=scale or 1.0, probes=tuple(computed))


def _exact(computation: Computation, tolerance: Tolerance, exact: Exact) -> Expectation:
    """What float64 found, as it is."""
    return Expectation(
        computation, tolerance, exact.outputs, exact.training_outputs, first=exact.first
    )


def _rounding(computation: Computation, tolerance: Tolerance, exact: Exact) -> Expectation:
    """What float64 found, rounded to its precision, with the noise of computing in that.

    Left out are values of which no more can be said, such as an index that rounding decides.
    """
    noise, training_noise = (_noise(computation, trains, exact) for trains in (False, True))
    sure = tuple(n for n in computation.probes if math.isfinite(noise[n][1] + training_noise[n][1]))
    rounded = Expectation(
        replace(computation, probes=sure),
        tolerance,
        {name: noise[name][0] for name in sure},
        {name: training_noise[name][0] for name in sure},
        noise={name: noise[name][1] for name in sure},
        training_noise={name: training_noise[name][1] for name in sure},
    )
    if exact.first is None:
        return rounded
    own = first_step(computation, DisturbedPrimitives(computation.seed))
    state = in_dtypes_of(exact.first.state, computation.network.weights)
    loss_noise = difference(np.array(own.loss), np.array(exact.first.loss)).error
    first_noise = {**_errors(own.state, state), "": loss_noise}
    return replace(rounded, first=FirstStep(exact.first.loss, state), first_noise=first_noise)


def _noise(
    computation: Computation, training: bool, exact: Exact
) -> dict[str, tuple[np.ndarray, float]]:
    """For each value what is expected, and how far rounding may take it, by disturbed sums.

    Sums that are disturbed may lead elsewhere, as where a sum is compared with a number; NumPy's
    own then tell what is sure.
    """
    if training:
        exactly = exact.training_outputs
    else:
        exactly = exact.outputs
    try:
        computed = _run(computation, training, DisturbedPrimitives(computation.seed))
        wanted = in_dtypes_of(exactly, computed)
        noise = _errors(computed, wanted)
    except (AllotropeError, ArithmeticError, IndexError, KeyError, ValueError):
        noise = dict.fromkeys(exactly, math.inf)
    if not all(math.isfinite(error) for error in noise.values()):
        computed = _run(computation, training, None)
        wanted = in_dtypes_of(exactly, computed)
        plain = _errors(computed, wanted)
        noise = {n: e if math.isfinite(e) else plain[n] for n, e in noise.items()}
    return {name: (wanted[name], error) for name, error in noise.items()}


def _run(
    computation: Computation, training: bool, p: DisturbedPrimitives | None
) -> dict[str, np.ndarray]:
    return values(computation.network, computation.probes, computation.inputs(), training, p)


def _errors(actual: Arrays, expected: Arrays) -> dict[str, float]:
    return {name: difference(actual[name], array).error for name, array in expected.items()}


def _as_it_is(
    computation: Computation,
    tolerances: Mapping[str, Tolerance],
    rounding: Sequence[str],
    training: bool,
    say: Callable[[str], None],
) -> Expectations:
    """A network that depends on how float32 rounds: compared in that alone, without slopes."""
    note = f"float64 is left out: {', '.join(rounding)} depend on how float32 rounds"
    if "float32" not in tolerances:
        raise UnsupportedError(f"{note}. Check it with --precision float32.")
    exact = Exact(_run(computation, False, None), _run(computation, True, None))
    notes: tuple[str, ...] = ()
    if training:
        exact, notes = _with_first_step(exact, computation, say)
    return Expectations(
        {"float32": _exact(computation, tolerances["float32"], exact)}, (note, *notes)
    )


def _with_first_step(
    exact: Exact, computation: Computation, say: Callable[[str], None]
) -> tuple[Exact, tuple[str, ...]]:
    """With what is expected of the first training step; where there is no training, the reason."""
    say("reference: first training step")
    try:
        return replace(exact, first=first_step(computation)), ()
    except UnsupportedError as error:
        return exact, (f"training is left out: {error}",)
