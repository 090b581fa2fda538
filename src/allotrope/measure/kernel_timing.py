"""The kernels of this machine's runtimes, timed in a process of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.data.store.store_folder import store_folder
from allotrope.errors import DataError, UsageError
from allotrope.measure.kernel_worker import KERNELS
from allotrope.measure.machine import cores, machine
from allotrope.network.network import Network
from allotrope.process.carried_arrays import write_arrays
from allotrope.process.worker import WorkerError, WorkerProcess
from allotrope.runtimes import runtime as find_runtime
from allotrope.shrinking.kernel_table import KernelTable
from allotrope.shrinking.kernel_times import KernelTimes

ROUNDS = 7
SECONDS_OF_A_PART = 0.004
SECONDS_OF_A_WHOLE = 0.05
QUANTIZER_OF_PARTS = "onnxruntime"
"""NNCF takes ten times as long for each part; the kernels are the same."""


@contextmanager
def kernel_times(
    inputs: Mapping[str, np.ndarray],
    runtime: str,
    precision: str,
    form: str = "",
    threads: int | None = None,
    folder: Path | None = None,
) -> Iterator[KernelTimes]:
    """The times of kernels in a runtime, at a precision, of files that are made by `form`.

    `inputs`: one example (or as many as are run at once) as networks take it. `form` is the
    quantizer of `Candidate`, empty for none. The table lies in `folder`, by default in the user's
    cache folder.

    Raises: UsageError if the runtime is missing, or cannot run what it is asked to time.
    """
    reason = find_runtime(runtime).available()
    if reason is not None:
        raise UsageError(f"{runtime} cannot be measured: {reason}")
    threads = threads or cores()
    count = len(next(iter(inputs.values())))
    facts = _facts(runtime, precision, form, threads, count)
    with (
        tempfile.TemporaryDirectory() as scratch,
        WorkerProcess(KERNELS, threads) as worker,
    ):
        files = _Files(Path(scratch), inputs)
        how = {"runtime": runtime, "precision": precision, "threads": threads, "rounds": ROUNDS}

        def timed(networks: Sequence[Network], **asked: Any) -> list[float]:
            try:
                answer = worker.ask("time", files=files.saved(networks), **how, **asked)
            except WorkerError as error:
                raise UsageError(f"{runtime} cannot time this network: {error}") from None
            seconds: list[float] = answer["seconds"]
            return seconds

        def alone(networks: Sequence[Network]) -> list[float]:
            quantizer = form and QUANTIZER_OF_PARTS
            return timed(networks, quantizer=quantizer, inputs="", seconds=SECONDS_OF_A_PART)

        def whole(networks: Sequence[Network]) -> list[float]:
            return timed(networks, quantizer=form, inputs=files.inputs, seconds=SECONDS_OF_A_WHOLE)

        table = KernelTable(folder or _usual_folder(), facts)
        yield KernelTimes(alone, whole, table, inputs)


class _Files:
    """Networks written for the other process, and what whole ones take."""

    def __init__(self, folder: Path, inputs: Mapping[str, np.ndarray]) -> None:
        self._folder, self._count = folder, 0
        self.inputs = str(folder / "inputs.npz")
        write_arrays(Path(self.inputs), inputs)

    def saved(self, networks: Sequence[Network]) -> list[str]:
        """Writes each; the paths."""
        paths = []
        for network in networks:
            self._count += 1
            paths.append(str(self._folder / f"{self._count}.onnx"))
            network.save(paths[-1])
        return paths


def _facts(runtime: str, precision: str, form: str, threads: int, count: int) -> dict[str, str]:
    here = machine()
    return {
        "cpu": str(here["cpu"]),
        "features": " ".join(here["features"]),
        "cores": str(here["cores"]),
        "runtime": runtime,
        "version": str(find_runtime(runtime).version()),
        "precision": precision,
        "quantizer": form and QUANTIZER_OF_PARTS,
        "threads": str(threads),
        "examples": str(count),
    }


def _usual_folder() -> Path | None:
    """The user's cache folder; without a home folder nothing is kept."""
    try:
        return store_folder()
    except DataError:
        return None
