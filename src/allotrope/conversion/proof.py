"""Whether a converted folder is the network: opened in a fresh process without Allotrope, run, and trained for a step."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import ModelError, UnsupportedError, UsageError
from allotrope.measure.inputs import random_inputs
from allotrope.network.network import Network
from allotrope.network.weights import every_node

EQUAL = 1e-4
"""The largest difference from the reference's outputs, relative to their largest value, that is called equal in float32."""
FLAT = 1e-10
"""A squared gradient of at most this part of the loss is zero but for rounding."""
BATCH = 4
LENGTHS = (8, 32, 96, 192, 224, 1)
"""What a free length other than the batch may be; the first that the network can take."""
PATIENCE = 900.0
"""Seconds that the fresh process may take."""


@dataclass(frozen=True)
class Proof:
    """The figures: differences by output, the loss before and after a step (empty where nothing learns), how many weights learn."""

    differences: Mapping[str, float]
    loss: tuple[float, ...]
    learning: int


def prove(network: Network, folder: Path, script: Path) -> Proof:
    """Opens `folder` by the script in a fresh process and compares.

    Raises: UnsupportedError where it does not open, computes something else, or does not learn.
    """
    inputs, expected = reference_run(network)
    with tempfile.TemporaryDirectory() as scratch:
        given, taken = Path(scratch) / "inputs.npz", Path(scratch) / "outputs.npz"
        np.savez(given, *inputs.values())
        answer = run_alone(script, str(folder), str(given), str(taken))
        with np.load(taken, allow_pickle=False) as file:
            found = [file[name] for name in file.files]
    differences = {name: difference(one, other) for (name, one), other in zip(expected.items(), found, strict=True)}
    wrong = [f"'{name}' differs by {value:.1e}" for name, value in differences.items() if not value <= EQUAL]
    wrong += _training_problems(answer, bool(network.trainable))
    if wrong:
        raise UnsupportedError(f"the converted network is not the same: {'; '.join(wrong)}. Nothing was written.")
    return Proof(differences, tuple(answer["loss"]), answer["learning"])


def _training_problems(answer: Mapping[str, Any], learns: bool) -> list[str]:
    loss = answer["loss"]
    if not learns:
        return []
    if not loss:
        return ["none of its weights learns"]
    if answer["slope"] <= FLAT * loss[0]:
        return []  # as where all channels are alike before a softmax: no step could lower it
    return [] if loss[1] < loss[0] else [f"a gradient step takes its loss from {loss[0]:.4g} to {loss[1]:.4g}"]


def difference(expected: np.ndarray, found: np.ndarray) -> float:
    """The largest difference relative to the largest value that is expected; infinite for another shape or kind.

    Whole numbers may be narrower: JAX has none of 64 bits unless it is told to.
    """
    is_float = expected.dtype.kind in "fc"
    if expected.shape != found.shape or expected.dtype.kind != found.dtype.kind or (is_float and expected.dtype != found.dtype):
        return float("inf")
    if not is_float:
        return 0.0 if np.array_equal(expected, found) else float("inf")
    if not expected.size:
        return 0.0
    largest = float(np.max(np.abs(expected.astype(np.float64))))
    return float(np.max(np.abs(expected.astype(np.float64) - found))) / (largest or 1.0)


def reference_run(network: Network) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Random inputs that the network can take, and what the reference gives for them.

    Raises: UnsupportedError where no length of its free axes works.
    """
    free = {d for value in network.inputs for d in (value.shape or ())[1:] if not isinstance(d, int)}
    reason: Exception | None = None
    for length in LENGTHS if free else (1,):
        inputs = _inputs(network, {name or "": length for name in free})
        try:
            return inputs, network.run(inputs)
        except (ModelError, UnsupportedError, UsageError, ValueError, IndexError) as error:
            reason = error
    raise UnsupportedError(f"there are no inputs to prove it with: {reason}. Give the free lengths of the network's inputs a number.")


def _inputs(network: Network, lengths: Mapping[str, int]) -> dict[str, np.ndarray]:
    inputs, random = random_inputs(network.inputs, BATCH, lengths), np.random.default_rng(1)
    for node in every_node(network.graph):
        table, indices = (*node.inputs, "")[:2]
        if node.operator == "Gather" and indices in inputs and table in network.weights:
            rows = network.weights[table].shape[node.attributes.get("axis", 0)]
            inputs[indices] = random.integers(0, rows, inputs[indices].shape).astype(inputs[indices].dtype)
    return inputs


def run_alone(script: Path, *arguments: str) -> dict[str, Any]:
    """What a script prints last, as JSON, in a fresh process that sees neither this one's folders nor Allotrope.

    Raises: UnsupportedError with the last line that it wrote where it fails.
    """
    command = [sys.executable, "-I", "-B", "-W", "ignore", str(script), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise UnsupportedError(f"the converted network did not run within {PATIENCE:g} s. Nothing was written.") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = " ".join((done.stderr.strip().splitlines() or ["it said nothing"])[-1].split())[:400]
        raise UnsupportedError(f"the converted network does not run in a fresh process: {said}. Nothing was written.")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer
