"""A process that times many small files in one runtime: `-m allotrope.measure.kernel_worker`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.process.carried_arrays import read_arrays
from allotrope.process.serve import serve

KERNELS = "allotrope.measure.kernel_worker"
"""What the process runs."""
WARMUP = 2
LEAST_RUNS = 5
QUICKER = 0.25
"""Which of the rounds' medians counts, as the share of rounds that were quicker."""


class KernelWorker:
    """Makes files as they are delivered, and times all of a request in the same rounds."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def time(
        self,
        runtime: str,
        precision: str,
        quantizer: str,
        threads: int,
        files: Sequence[str],
        inputs: str,
        rounds: int,
        seconds: float,
    ) -> dict[str, Any]:
        """Seconds of each file: the median of a round, and of these the lower quartile.

        `quantizer`: what makes the files int8 first, none if it is empty. `inputs`: a file with
        what they take; without one they take random numbers, and whole ones if they are quantized.
        """
        from allotrope.runtimes import runtime as find

        runs = []
        for file in files:
            path, arrays = self._made(Path(file), quantizer, inputs)
            session = find(runtime).open(path, precision, threads)
            # Whole networks are run as they are measured when they are delivered; a part has no
            # free length, and perhaps no axis of examples.
            run = session.run if inputs else session.run_whole
            runs.append(partial(run, arrays))
        return {"seconds": _medians(runs, rounds, seconds)}

    def _made(
        self, path: Path, quantizer: str, inputs: str
    ) -> tuple[Path, Mapping[str, np.ndarray]]:
        arrays: Mapping[str, np.ndarray]
        arrays = read_arrays(Path(inputs)) if inputs else self._numbers(path)
        if not quantizer:
            return path, arrays
        from allotrope.shrinking.bare_ends import bare_ends
        from allotrope.shrinking.quantize import QUANTIZERS

        target = path.with_suffix(".int8.onnx")
        QUANTIZERS[quantizer](path, arrays, target)
        if inputs:
            return target, arrays
        bare_ends(target)
        return target, self._numbers(target)

    def _numbers(self, path: Path) -> dict[str, np.ndarray]:
        import onnx

        from allotrope.shrinking.bare_ends import numbers_for

        graph = onnx.load(path).graph
        return {value.name: numbers_for(value, self._random) for value in graph.input}


def _medians(runs: Sequence[Callable[[], object]], rounds: int, seconds: float) -> list[float]:
    times: list[list[float]] = [[] for _ in runs]
    order = list(range(len(runs)))
    for number in range(rounds):
        # Backwards every second time, so that none always follows the same other.
        for place in order if number % 2 == 0 else reversed(order):
            times[place].append(_median_of_a_round(runs[place], seconds))
    # Whatever else runs on the machine only ever makes a round slower: the quicker ones count.
    return [float(np.quantile(each, QUICKER)) for each in times]


def _median_of_a_round(run: Callable[[], object], seconds: float) -> float:
    for _ in range(WARMUP):
        run()
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while len(times) < LEAST_RUNS or time.perf_counter() < ends:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


if __name__ == "__main__":
    serve(KernelWorker())
