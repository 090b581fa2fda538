"""Compares what frameworks recorded with what was expected: arrays in, a judgement out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from allotrope.measure.agreement.difference import Difference, difference, scale_of
from allotrope.measure.agreement.slopes import Slope
from allotrope.measure.agreement.step_files import Arrays
from allotrope.network.graph import Node

CANCELLING = frozenset(
    {"Add", "AveragePool", "GlobalAveragePool", "Mean", "ReduceMean", "ReduceSum", "Sub", "Sum"}
)
"""Operators whose result may be nothing but the rounding of much larger inputs."""

SMALL = 1e-2
"""The share of the scale around it below which an array counts as small: rounding there is judged
by that share."""

NOISE = 4.0
"""How many times the error of NumPy's own float32 a framework's may be: sums in another order round
otherwise."""

SETTLED = 1e-5
"""How well finite differences, which are float64's in every precision, must settle: the width of a
step crosses a kink otherwise."""

NONE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Departure:
    """One thing that is not as expected: what it is, what is wrong with it, and its error."""

    culprit: str
    problem: str
    error: float


@dataclass(frozen=True)
class Comparison:
    """How many things were compared or not judged, the largest error, and what departs first."""

    compared: int
    error: float
    tolerance: float
    departures: tuple[Departure, ...] = ()
    left_out: int = 0

    @property
    def agrees(self) -> bool:
        """Whether there was something to compare and nothing departs."""
        return self.compared + self.left_out > 0 and not self.departures


def compare_outputs(
    nodes: Sequence[Node],
    actual: Arrays,
    expected: Arrays,
    tolerance: float,
    noise: Mapping[str, float] = NONE,
) -> Comparison:
    """The values of `expected`, in the order of the nodes that make them.

    So the first departure is where an error arises.

    Where a node adds and subtracts, an array is held to `SMALL` of its inputs' scale, if its own is
    less. `noise` is the error that rounding makes inevitable, by value: `NOISE` times that is no
    departure.
    """
    judged = []
    for node in nodes:
        inputs = [scale_of(expected[name]) for name in node.inputs if name in expected]
        floor = 0.0
        if node.operator in CANCELLING:
            # 1e8 - 1e8 is rounding of 1e8 and not of 0: what cancels is held to what it came from.
            floor = SMALL * max(inputs, default=0.0)
        made = [name for name in node.outputs if name in expected]
        judged += [
            (_named(node, name), _compared(actual, expected, name, floor), noise.get(name, 0.0))
            for name in made
        ]
    # What nobody expected is a departure too: a framework that computes more computes another
    # network.
    strangers = [
        (f"value '{name}'", Difference(math.inf, "was not expected"), 0.0)
        for name in actual
        if name not in expected
    ]
    return _comparison([*judged, *strangers], tolerance)


def compare_gradients(
    actual: Arrays, expected: Arrays, tolerance: float, noise: Mapping[str, float] = NONE
) -> Comparison:
    """Gradients by weight, the largest error first.

    One much smaller than the largest of all is held to `SMALL` of that one's scale.
    """
    # Behind a normalization the gradient of a bias is 0 but for rounding, which has no scale of its
    # own to be held to.
    floor = SMALL * max((scale_of(array) for array in expected.values()), default=0.0)
    judged = [
        (f"gradient of '{name}'", _compared(actual, expected, name, floor), noise.get(name, 0.0))
        for name in expected
    ]
    judged += [
        (f"gradient of '{name}'", Difference(math.inf, "was not expected"), 0.0)
        for name in actual
        if name not in expected
    ]
    return _comparison(sorted(judged, key=lambda pair: -pair[1].error), tolerance)


def compare_slopes(gradients: Arrays, slopes: Sequence[Slope], tolerance: float) -> Comparison:
    """Gradients against finite differences: along each direction they must give the slope.

    The error is relative to the slope, or to the size that it has for a typical direction where
    that is more; one much smaller than the largest of all is held to `SMALL` of that one's size. A
    slope that finite differences could not settle is left out.
    """
    sizes = [max(abs(slope.value), _typical(gradients, slope)) for slope in slopes]
    floor = SMALL * max(sizes, default=0.0)
    judged = []
    for slope, size in zip(slopes, sizes, strict=True):
        missing = [name for name in slope.names if name not in gradients]
        named = f"gradient of {' or '.join(repr(name) for name in missing or slope.names)}"
        if missing:
            judged.append((named, Difference(math.inf, "is missing"), 0.0))
        # A difference over a kink, of a ReLU or a maximum, says nothing of the gradient at the
        # point.
        elif slope.uncertainty <= min(tolerance, SETTLED) * max(size, floor):
            judged.append((named, _along(gradients, slope, max(size, floor)), 0.0))
    return replace(_comparison(judged, tolerance), left_out=len(slopes) - len(judged))


def compare_losses(
    actual: Sequence[float], expected: Sequence[float], tolerance: float, noise: float = 0.0
) -> Comparison:
    """The loss of each step, relative to its size, or to `SMALL` of the first one's if less."""
    floor = 0.0
    if expected and math.isfinite(expected[0]):
        # A loss that has become tiny is a difference of large numbers, like what cancels.
        floor = SMALL * abs(expected[0])
    # Courses of different lengths are compared as far as both go, and the length is a departure.
    pairs = zip(actual, expected, strict=False)
    judged = [
        (f"step {step}: loss", difference(np.array(a), np.array(b), floor), noise)
        for step, (a, b) in enumerate(pairs, 1)
    ]
    if len(actual) != len(expected):
        judged.append(
            ("losses", Difference(math.inf, f"{len(actual)} steps instead of {len(expected)}"), 0.0)
        )
    return _comparison(judged, tolerance)


def compare_steps(
    actual: Mapping[int, Arrays],
    expected: Mapping[int, Arrays],
    names: Iterable[str],
    kind: str,
    tolerance: float,
    noise: Mapping[str, float] = NONE,
) -> Comparison:
    """The arrays `names` after each step of `expected`.

    One much smaller than the largest of all is held to `SMALL` of that one's scale.
    """
    names = sorted(names)
    judged = []
    for step, arrays in sorted(expected.items()):
        mine = actual.get(step, {})
        floor = SMALL * max(
            (scale_of(arrays[name]) for name in names if name in arrays), default=0.0
        )
        # One text for a name, whether it is compared or a stranger.
        called = {name: f"step {step}: {kind} '{name}'" for name in [*names, *mine]}
        judged += [
            (called[name], _compared(mine, arrays, name, floor), noise.get(name, 0.0))
            for name in names
            if name in arrays
        ]
        judged += [
            (called[name], Difference(math.inf, "was not expected"), 0.0)
            for name in sorted(set(mine) - set(arrays))
        ]
    return _comparison(judged, tolerance)


def parting_step(actual: Sequence[float], expected: Sequence[float], limit: float) -> int | None:
    """The first step, from 1, at which losses differ by more than `limit` of the expected one.

    None where they never do.
    """
    for step, (a, b) in enumerate(zip(actual, expected, strict=True), 1):
        # Written so that a NaN parts from every number, but not from another NaN.
        if not abs(a - b) <= limit * abs(b) and not (math.isnan(a) and math.isnan(b)):
            return step
    return None


def _compared(actual: Arrays, expected: Arrays, name: str, floor: float) -> Difference:
    if name in actual:
        return difference(actual[name], expected[name], floor)
    return Difference(math.inf, "is missing")


def _named(node: Node, output: str) -> str:
    if len(node.outputs) == 1:
        place = ""
    else:
        place = f", output '{output}'"
    return f"node '{node.label}' ({node.operator}){place}"


def _typical(gradients: Arrays, slope: Slope) -> float:
    """The root of the summed squares of what each element adds to a slope."""
    present = [name for name in slope.names if name in gradients]
    return math.sqrt(
        sum(
            np.square(gradients[name].astype(np.float64) * slope.directions[name]).sum()
            for name in present
        )
    )


def _along(gradients: Arrays, slope: Slope, size: float) -> Difference:
    slope_here = float(
        sum(
            (gradients[name].astype(np.float64) * direction).sum()
            for name, direction in slope.directions.items()
        )
    )
    error = 0.0
    if size:
        error = abs(slope_here - slope.value) / size
    if not math.isfinite(error):
        error = math.inf
    return Difference(
        error,
        f"gives the slope {slope_here:.9g} where the reference has {slope.value:.9g} (error "
        f"{error:.1e})",
    )


def _comparison(judged: Sequence[tuple[str, Difference, float]], tolerance: float) -> Comparison:
    """Of things by name, each with its difference and the error that rounding makes inevitable."""
    departures = [
        Departure(name, gap.text, gap.error)
        for name, gap, noise in judged
        # Written so that an error that is NaN departs.
        if not gap.error <= max(tolerance, NOISE * noise)
    ]
    return Comparison(
        len(judged),
        max((gap.error for _, gap, _ in judged), default=0.0),
        tolerance,
        tuple(departures),
    )
