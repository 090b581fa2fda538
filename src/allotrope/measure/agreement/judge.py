"""From recordings to rows: each part against the reference, or one framework if it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from allotrope.measure.agreement.comparer import (
    Comparison,
    compare_gradients,
    compare_losses,
    compare_outputs,
    compare_slopes,
    compare_steps,
    parting_step,
)
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.oracle import FirstStep
from allotrope.measure.agreement.recording import Recording
from allotrope.measure.agreement.slopes import Slope
from allotrope.measure.agreement.step_files import Arrays

TRAINED = ("losses", "weights", "state")
"""The parts of a judgement that are about all training steps."""
EXACT = ("outputs", "training outputs", "first loss", "first state")
"""The parts that the reference computes itself."""
SINGLE = {part: f"{part}, batch 1" for part in ("outputs", "slopes", "gradients")}
"""What the parts of a batch of 1 are called."""
EVERYTHING: Mapping[str, int] = MappingProxyType({})
"""No precision in which only some steps are compared."""


@dataclass(frozen=True)
class Tolerance:
    """The largest error that is called agreement, relative to the scale of an array.

    `losses` are those of all training steps, None where they may part; `first_step` is for the loss
    and the state of the first step, `weights` for weights and state after all steps, `slopes` for
    gradients against finite differences.
    """

    outputs: float
    gradients: float
    slopes: float
    first_step: float
    losses: float | None
    weights: float | None


@dataclass(frozen=True)
class Expectation:
    """What the reference says of one precision.

    The noises are how far rounding may take what is computed in this precision: values, values in
    training, and the first step's state by name, with its loss under "". That of gradients is what
    float32's rounding of the weights does to float64's. `single` is the same of a batch of 1,
    without training.
    """

    computation: Computation
    tolerance: Tolerance
    outputs: Arrays
    training_outputs: Arrays
    slopes: Sequence[Slope] = ()
    first: FirstStep | None = None
    noise: Mapping[str, float] = field(default_factory=dict)
    training_noise: Mapping[str, float] = field(default_factory=dict)
    gradient_noise: Mapping[str, float] = field(default_factory=dict)
    first_noise: Mapping[str, float] = field(default_factory=dict)
    single: Expectation | None = None


@dataclass
class Row:
    """The judgement of one recording: comparisons by part, with what each was held to."""

    recording: Recording
    parts: dict[str, Comparison] = field(default_factory=dict)
    against: dict[str, str] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether something was compared and nothing departs."""
        return any(part.compared for part in self.parts.values()) and all(
            part.agrees for part in self.parts.values()
        )

    def add(self, part: str, comparison: Comparison, against: str = "reference") -> None:
        """Takes a comparison that had something to compare, if only what it had to leave out."""
        if comparison.compared or comparison.left_out:
            self.parts[part], self.against[part] = comparison, against


def judge(
    recordings: Sequence[Recording],
    expected: Mapping[str, Expectation],
    settled: Mapping[str, int] = EVERYTHING,
) -> list[Row]:
    """A row for each recording.

    `expected` is by precision, and so is `settled`: how many training steps are compared, if not
    all.

    Gradients and trainings are held to those of the first framework, in the order of the
    recordings, whose own pass before the reference: its gradients are compared in float64 if there
    are such, its training in the same precision.
    """
    rows = [
        _against_reference(recording, expected[recording.precision]) for recording in recordings
    ]
    source = source_of(rows)
    for row in rows:
        if source is not None and row is not source:
            expectation = expected[row.recording.precision]
            _add_gradients(row, row.recording, source.recording, expectation)
            _add_single_gradients(row, source.recording, expectation)
    for precision, expectation in expected.items():
        leader = leader_of(rows, precision)
        for row in _trained(rows, precision):
            if leader is not None and row is not leader:
                _add_training(row, leader.recording, expectation, settled.get(precision))
    return rows


def source_of(rows: Sequence[Row]) -> Row | None:
    """The one to whose gradients the others are held."""
    sources = sorted(
        (row for row in rows if row.recording.gradients is not None),
        key=lambda row: row.recording.precision != "float64",
    )
    return _first_sound(sources, ("slopes",))


def trusted_framework(
    recordings: Sequence[Recording], expected: Mapping[str, Expectation]
) -> str | None:
    """The first framework whose float64 outputs and first step are the reference's."""
    for recording in recordings:
        if recording.precision == "float64" and not recording.failure:
            parts = _against_reference(recording, expected["float64"]).parts
            needed = {"outputs", "training outputs"} <= parts.keys()
            if needed and all(parts[part].agrees for part in EXACT if part in parts):
                return recording.framework
    return None


def leader_of(rows: Sequence[Row], precision: str) -> Row | None:
    """The one whose training in this precision the others are held to."""
    return _first_sound(_trained(rows, precision), ("first loss", "first state", "training slopes"))


def _trained(rows: Sequence[Row], precision: str) -> list[Row]:
    return [row for row in rows if row.recording.precision == precision and row.recording.losses]


def _first_sound(rows: Sequence[Row], parts: Sequence[str]) -> Row | None:
    """The first of which no part departs; the first of all where there is none."""
    sound = [
        row for row in rows if all(row.parts[part].agrees for part in parts if part in row.parts)
    ]
    return next(iter([*sound, *rows]), None)


def _against_reference(recording: Recording, expected: Expectation) -> Row:
    row, tolerance = Row(recording), expected.tolerance
    nodes = expected.computation.network.graph.nodes
    if recording.outputs is not None:
        row.add(
            "outputs",
            compare_outputs(
                nodes, recording.outputs, expected.outputs, tolerance.outputs, expected.noise
            ),
        )
    if recording.training_outputs is not None:
        wanted, noise = expected.training_outputs, expected.training_noise
        row.add(
            "training outputs",
            compare_outputs(nodes, recording.training_outputs, wanted, tolerance.outputs, noise),
        )
    if recording.gradients is not None:
        row.add("slopes", compare_slopes(recording.gradients, expected.slopes, tolerance.slopes))
    if recording.single is not None and expected.single is not None:
        alone = _against_reference(recording.single, expected.single)
        for part, comparison in alone.parts.items():
            row.add(SINGLE[part], comparison)
    if recording.losses and expected.first is not None:
        _add_first_step(row, recording, expected, expected.first)
    return row


def _add_first_step(
    row: Row, recording: Recording, expected: Expectation, first: FirstStep
) -> None:
    """The first step's loss and state, in float64 also gradients, as its weight changes tell."""
    tolerance, noise, after = expected.tolerance, expected.first_noise, recording.weights[1]
    row.add(
        "first loss",
        compare_losses(
            recording.losses[:1], [first.loss], tolerance.first_step, noise.get("", 0.0)
        ),
    )
    state = {name: after[name] for name in first.state if name in after}
    row.add(
        "first state",
        compare_steps(
            {1: state}, {1: first.state}, first.state, "state", tolerance.first_step, noise
        ),
    )
    if recording.precision == "float64":
        row.add(
            "training slopes",
            compare_slopes(
                _gradients_of_step(expected.computation, after), first.slopes, tolerance.slopes
            ),
        )


def _gradients_of_step(computation: Computation, after: Arrays) -> dict[str, np.ndarray]:
    """The gradients behind the first step with momentum.

    Weights moved by -learning rate * (gradient + decay * weight).
    """
    before, plan = computation.trained.weights, computation.plan
    moved = {
        name: (before[name] - after[name]) / computation.learning_rate
        for name in computation.trained.trainable
        if name in after
    }
    return {
        name: change / plan.learning_rate_scale.get(name, 1.0)
        - plan.weight_decay.get(name, 0.0) * before[name]
        for name, change in moved.items()
        if change.shape == before[name].shape
    }


def _add_single_gradients(row: Row, source: Recording, expected: Expectation) -> None:
    """Those of a batch of 1."""
    mine = row.recording.single
    if mine is not None and source.single is not None and expected.single is not None:
        _add_gradients(row, mine, source.single, expected.single, SINGLE["gradients"])


def _add_gradients(
    row: Row,
    mine: Recording,
    source: Recording,
    expected: Expectation,
    part: str = "gradients",
) -> None:
    """Gradients against those of `source`, rounded to the dtypes of weights and inputs."""
    gradients, network = mine.gradients, expected.computation.network
    if gradients is None or source.gradients is None:
        return
    dtypes = {name: array.dtype for name, array in network.weights.items()}
    dtypes |= {value.name: value.dtype for value in network.inputs}
    rounded = {
        name: array.astype(dtypes.get(name, array.dtype), copy=False)
        for name, array in source.gradients.items()
    }
    noise, tolerance = expected.gradient_noise, expected.tolerance.gradients
    comparison = compare_gradients(gradients, rounded, tolerance, noise)
    row.add(part, comparison, f"{source.framework} {source.precision}")


def _add_training(row: Row, leader: Recording, expected: Expectation, settled: int | None) -> None:
    recording, tolerance, against = (
        row.recording,
        expected.tolerance,
        f"{leader.framework} {leader.precision}",
    )
    if settled is None or len(recording.losses) != len(leader.losses):
        steps = len(leader.losses)
    else:
        steps = settled
    left_out = len(leader.losses) - steps
    if tolerance.losses is not None:
        losses = compare_losses(
            recording.losses[: len(recording.losses) - left_out],
            leader.losses[:steps],
            tolerance.losses,
        )
        row.add("losses", replace(losses, left_out=left_out), against)
    if tolerance.weights is not None:
        trainable, mine, wanted = (
            expected.computation.trained.trainable,
            _until(steps, recording.weights),
            _until(steps, leader.weights),
        )
        state = expected.computation.trained.weights.keys() - trainable
        row.add(
            "weights", compare_steps(mine, wanted, trainable, "weight", tolerance.weights), against
        )
        row.add("state", compare_steps(mine, wanted, state, "state", tolerance.weights), against)


def _until(last: int, weights: Mapping[int, Arrays]) -> Mapping[int, Arrays]:
    return {step: weights[step] for step in weights if step <= last}


def partings(
    rows: Sequence[Row], precision: str, limit: float
) -> dict[str, tuple[str, int | None]]:
    """For all frameworks but the first of a precision: its name, and the step of the parting."""
    trained = [row.recording for row in _trained(rows, precision)]
    first = None
    if trained:
        first = trained[0]
    return {
        other.framework: (first.framework, parting_step(other.losses, first.losses, limit))
        for other in trained[1:]
        if first
    }
