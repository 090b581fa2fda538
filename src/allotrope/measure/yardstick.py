"""What runtimes' outputs are held to: the reference if it can, else ONNX Runtime as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from allotrope.measure.runtime_worker import MEASURING
from allotrope.process.worker import WorkerError, WorkerProcess

REFERENCE_PATIENCE = 60.0
"""Seconds that the reference may take: it is NumPy, and a large network takes minutes."""
AGREES = 1e-2
"""Largest difference, relative to the largest expected value, that is called agreement: bfloat16
keeps 8 bits."""


@dataclass
class Yardstick:
    """Expected outputs, None until there are any, and whose they are, in words."""

    outputs: list[np.ndarray] | None
    line: str

    def difference(self, outputs: list[np.ndarray], name: str) -> float:
        """How far outputs are from what is expected.

        The first that come are expected where nothing else could compute the file.
        """
        if self.outputs is None:
            self.outputs, self.line = outputs, f"{self.line}; compared with {name}"
        if len(outputs) != len(self.outputs):
            return float("inf")
        return max(
            (difference(a, b) for a, b in zip(outputs, self.outputs, strict=True)), default=0.0
        )


def yardstick(
    file: Path, names: Sequence[str], inputs: str, threads: int, scratch: Path
) -> Yardstick:
    """The outputs of these names for a file of inputs, by the first that can compute them."""
    output = scratch / "expected.npz"
    try:
        with WorkerProcess(MEASURING, threads, REFERENCE_PATIENCE) as worker:
            worker.ask(
                "reference", path=str(file), inputs=inputs, output=str(output), names=list(names)
            )
        return Yardstick(read_outputs(output), "outputs compared with the float64 reference")
    except WorkerError as error:
        why = f"the reference cannot compute this file ({error})"
    try:
        with WorkerProcess(MEASURING, threads) as worker:
            opened = {
                "runtime": "onnxruntime",
                "path": str(file),
                "precision": "float32",
                "threads": threads,
            }
            worker.ask("open", **opened, inputs=inputs, whole=True, options={"optimized": False})
            worker.ask("outputs", inputs=inputs, output=str(output))
        return Yardstick(
            read_outputs(output), f"{why}: outputs compared with ONNX Runtime without optimizations"
        )
    except WorkerError:
        return Yardstick(None, f"{why}, nor can ONNX Runtime without optimizations")


def read_outputs(path: Path) -> list[np.ndarray]:
    """The arrays in a file, in order."""
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in file.files]


def difference(actual: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference relative to the largest expected value.

    Infinite where shapes or texts differ or a number is missing.
    """
    if actual.shape != expected.shape or actual.size == 0:
        if actual.shape == expected.shape:
            return 0.0
        return float("inf")
    if "U" in (actual.dtype.kind, expected.dtype.kind):
        if np.array_equal(actual, expected):
            return 0.0
        return float("inf")
    a, b = actual.astype(np.float64), expected.astype(np.float64)
    largest = np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)
    if np.isfinite(largest):
        return float(largest)
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    return float("inf")
