"""Whether a converted folder is the network: run without Allotrope, and trained for a step."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import ModelError, UnsupportedError, UsageError
from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.measure.random_inputs import random_inputs
from allotrope.measure.roles import roles
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.operators.interpret import Context, Program
from allotrope.process.script import run_script
from allotrope.process.worker import WorkerError

EQUAL = 1e-4
"""The largest difference from the reference's outputs, relative to their largest value, that is
called equal in float32.

Where NumPy in float32 is further from the reference, as deep in a network that magnifies
rounding, that is allowed instead."""
FLAT = 1e-10
"""A squared gradient of at most this part of the loss is zero but for rounding."""
BATCH = 4
LENGTHS = (8, 32, 96, 192, 224, 256, 576)
"""What a free length other than the batch may be; the first that the network can take."""
UNNAMED = "\0"
"""What the name of a free axis begins with that has none."""
MOST_UNNAMED = 3
"""Of so many it is tried which are as long as the batch."""
PATIENCE = 900.0
"""Seconds that the fresh process may take."""


Arrays = dict[str, np.ndarray]
"""By name."""


@dataclass(frozen=True)
class FolderProof:
    """The figures: differences by output, the loss before and after a step, how many weights learn.

    There is no loss if nothing learns.
    """

    differences: Mapping[str, float]
    loss: tuple[float, ...]
    learning: int


def prove(network: Network, folder: Path, script: Path) -> FolderProof:
    """Opens `folder` by the script in a fresh process and compares.

    Once more for each setting of the network that may take another branch; it trains in the first.

    Raises: UnsupportedError where it does not open, computes something else, or does not learn.
    """
    runs = reference_runs(network)
    answer, every = _run_by(script, folder, [inputs for inputs, _ in runs])
    differences: dict[str, float] = {}
    wrong: list[str] = []
    for (inputs, expected), outputs in zip(runs, every, strict=True):
        here = _differences(expected, outputs)
        wrong += _too_large(network, inputs, expected, here)
        differences = {name: max(value, differences.get(name, 0.0)) for name, value in here.items()}
    wrong += _training_problems(answer, bool(network.trainable))
    if wrong:
        raise UnsupportedError(
            f"the converted network is not the same: {'; '.join(wrong)}. Nothing was written."
        )
    return FolderProof(differences, tuple(answer["loss"]), answer["learning"])


def _run_by(
    script: Path, folder: Path, several: Sequence[Arrays]
) -> tuple[dict[str, Any], list[list[np.ndarray]]]:
    """What the script says, and the outputs for each of several inputs."""
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        for number, inputs in enumerate(several):
            files += [Path(scratch) / f"inputs-{number}.npz", Path(scratch) / f"{number}.npz"]
            np.savez(files[-2], *inputs.values())
        answer = run_alone(script, str(folder), *map(str, files))
        return answer, [_arrays_of(path) for path in files[1::2]]


def _arrays_of(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in file.files]


def _differences(expected: Arrays, outputs: Sequence[np.ndarray]) -> dict[str, float]:
    return {
        name: difference(one, other)
        for (name, one), other in zip(expected.items(), outputs, strict=True)
    }


def _too_large(
    network: Network, inputs: Arrays, expected: Arrays, differences: Mapping[str, float]
) -> list[str]:
    """The outputs that differ by more than they may.

    Rounding differs by framework: what NumPy loses in the same dtypes is allowed to others too.
    """
    allowed = dict.fromkeys(differences, EQUAL)
    if any(not value <= EQUAL for value in differences.values()):
        allowed = {
            name: max(EQUAL, value)
            for name, value in rounding(network, inputs, expected).items()
            if np.isfinite(value)
        }
    return [
        f"'{name}' differs by {value:.1e}"
        for name, value in differences.items()
        if not value <= allowed.get(name, EQUAL)
    ]


def _training_problems(answer: Mapping[str, Any], learns: bool) -> list[str]:
    loss = answer["loss"]
    if not learns:
        return []
    if not loss:
        return ["none of its weights learns"]
    if answer["slope"] <= FLAT * loss[0]:
        # As if all channels are alike before a softmax: no step could lower the loss.
        return []
    if loss[1] < loss[0]:
        return []
    return [f"a gradient step takes its loss from {loss[0]:.4g} to {loss[1]:.4g}"]


def difference(expected: np.ndarray, actual: np.ndarray) -> float:
    """The largest difference relative to the largest value that is expected.

    Infinite for another shape or kind.

    Whole numbers may be narrower: JAX has none of 64 bits unless it is told to.
    """
    is_float = expected.dtype.kind in "fc"
    if (
        expected.shape != actual.shape
        or expected.dtype.kind != actual.dtype.kind
        or (is_float and expected.dtype != actual.dtype)
    ):
        return float("inf")
    if not is_float:
        if np.array_equal(expected, actual):
            return 0.0
        return float("inf")
    if not expected.size:
        return 0.0
    largest = float(np.max(np.abs(expected.astype(np.float64))))
    return float(np.max(np.abs(expected.astype(np.float64) - actual))) / (largest or 1.0)


def reference_runs(network: Network) -> list[tuple[Arrays, Arrays]]:
    """`reference_run`, and the same for each other value of a flag or a choice among the inputs.

    A value that the network cannot run with, as a sample rate that it does not know, has nothing
    that could be compared.
    """
    runs = [reference_run(network)]
    for name, role in roles(network, {}).items():
        for other in role.others:
            with contextlib.suppress(UnsupportedError):
                runs.append(reference_run(network, {name: other}))
    return runs


def reference_run(
    network: Network, kinds: Mapping[str, str] | None = None
) -> tuple[Arrays, Arrays]:
    """Random inputs that the network can take, and what the reference gives for them.

    `kinds` say what other values than their role's inputs get.

    Raises: UnsupportedError where no length of its free axes works.
    """
    reason: Exception | None = None
    for lengths in _assignments(network):
        inputs = _inputs(network, lengths, kinds or {})
        try:
            return inputs, network.run(inputs)
        except (ModelError, UnsupportedError, UsageError, ValueError, IndexError) as error:
            reason = error
    raise UnsupportedError(
        f"there are no inputs to prove it with: {reason}. "
        "Give the free lengths of the network's inputs a number."
    )


def _assignments(network: Network) -> Iterator[dict[str, int]]:
    """Lengths for the free axes beyond the first: one for all, then some as long as the batch.

    These are axes without a name. A name that a first axis has is the batch's wherever it stands.
    """
    inputs = _named(network.inputs)
    batch = {
        value.shape[0]: BATCH for value in inputs if value.shape and isinstance(value.shape[0], str)
    }
    free = [
        name
        for value in inputs
        for name in (value.shape or ())[1:]
        if isinstance(name, str) and name not in batch
    ]
    for lengths in _lengths_of(list(dict.fromkeys(free))):
        yield {**lengths, **batch}


def _lengths_of(free: list[str]) -> Iterator[dict[str, int]]:
    """From all alike on, for which free lengths must be equal no file says.

    A mask is as long as a past and what is new together, which may be a single token. 1 comes last,
    for it fits wherever arrays are broadcast.
    """
    if not free:
        yield {}
        return
    yield from (dict.fromkeys(free, length) for length in LENGTHS)
    if len(free) > 1:
        for name in free:
            for together in (2 * LENGTHS[0], LENGTHS[0] + 1):
                yield {**dict.fromkeys(free, LENGTHS[0]), name: together}
    unnamed = sorted(name for name in free if name.startswith(UNNAMED))[:MOST_UNNAMED]
    for count in range(1, len(unnamed) + 1):
        for alike in itertools.combinations(unnamed, count):
            for length in (*LENGTHS, 1):
                yield {**dict.fromkeys(free, length), **dict.fromkeys(alike, BATCH)}
    yield dict.fromkeys(free, 1)


def _named(values: Sequence[Value]) -> list[Value]:
    """The inputs with a name for every free axis."""

    def shape(value: Value) -> tuple[Any, ...] | None:
        if value.shape is None:
            return None
        axes = list(value.shape)
        for axis, length in enumerate(axes):
            if length is None:
                axes[axis] = f"{UNNAMED}{value.name} {axis}"
        return tuple(axes)

    return [replace(value, shape=shape(value)) for value in values]


def _inputs(network: Network, lengths: Mapping[str, int], kinds: Mapping[str, str]) -> Arrays:
    """Values as inputs are used: indices in range, masks that leave something to see."""
    usual = {name: role.kind for name, role in roles(network, lengths).items()}
    return random_inputs(_named(network.inputs), BATCH, lengths, kinds={**usual, **kinds})


def rounding(
    network: Network, inputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """How far NumPy in the network's own dtypes is from the reference in float64, by output."""
    host = ReferencePrimitives()
    outputs = Program(lowered(network), host, host)({**network.weights, **inputs}, Context())
    return {
        name: difference(one, np.asarray(other))
        for (name, one), other in zip(expected.items(), outputs, strict=True)
    }


def run_alone(script: Path, *arguments: str) -> dict[str, Any]:
    """What a script prints last, as JSON, in a fresh process that sees no Allotrope.

    Nor does it see this one's folders. Raises: UnsupportedError with the last line that it wrote
    where it fails.
    """
    try:
        return run_script(script, *arguments, patience=PATIENCE)
    except WorkerError as error:
        failed = f"the converted network does not run in a fresh process: {error}"
        raise UnsupportedError(f"{failed}. Nothing was written.") from error


def proof_script(to: str) -> Path:
    """What opens and trains a converted folder in a fresh process.

    A Keras model does so on TensorFlow.
    """
    folders = {"keras": "tensorflow"}
    return Path(__file__).parents[1] / folders.get(to, to) / "proof.py"
