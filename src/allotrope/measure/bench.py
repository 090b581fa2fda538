"""`bench`: any ONNX file, measured in every runtime that is installed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import UsageError
from allotrope.measure.inputs import fixed_batch, has_free_batch, is_divisible, parse_lengths, random_inputs
from allotrope.measure.machine import cores, machine
from allotrope.measure.process import PATIENCE, WorkerError, WorkerProcess
from allotrope.measure.rounds import ROUNDS, Timing, measurement, time_in_rounds
from allotrope.runtimes import RUNTIMES, runtime

AGREES = 1e-2
"""Largest difference from the first runtime's outputs, relative to their largest value, that is called agreement: bfloat16 keeps 8 bits."""


@dataclass(frozen=True)
class BenchTable:
    """A row for each runtime and precision in `json`; printed, it is a table."""

    json: dict[str, Any]

    def __str__(self) -> str:
        return "\n".join([_heading(self.json), *map(_line, self.json["rows"])])


def bench(
    file: str | Path,
    *,
    runtimes: Sequence[str] | None = None,
    batch: Sequence[int] = (1, 64),
    threads: int | None = None,
    dimensions: Sequence[str] = (),
    rounds: int = ROUNDS,
) -> BenchTable:
    """Measure an ONNX file in every runtime that is installed, on random inputs, in interleaved rounds.

    Example: allotrope bench model.onnx --batch 1 --batch 64 --dimensions sequence=128

    Args:
        file: an ONNX file of any kind of network.
        runtimes: which to measure; all by default.
        batch: batch sizes, where the first dimension of the inputs is free.
        threads: processor threads; all cores by default.
        dimensions: lengths of other free dimensions, such as sequence=128; 1 by default.
        rounds: how often each runtime has its turn.

    Raises: ModelError for a file that is broken, UsageError for options that do not fit it.
    """
    from allotrope.network.read import load

    if min([*batch, rounds, threads or 1], default=0) < 1:
        raise UsageError(f"batch {list(batch)}, rounds {rounds} and threads {threads} must all be at least 1.")
    found = [runtime(name) for name in runtimes or RUNTIMES]
    network = load(file, repair=False)
    lengths = parse_lengths(dimensions, network.inputs)
    sizes = sorted(set(batch)) if has_free_batch(network.inputs) else [fixed_batch(network.inputs)]
    inputs = {size: random_inputs(network.inputs, size, lengths) for size in sizes}
    pairs = [(one.name, precision) for one in found for precision in one.precisions if precision != "int8"]
    whole = not is_divisible(network.inputs, network.outputs)
    rows = _measure(Path(file), pairs, inputs, whole, threads or cores(), rounds)
    how = {**measurement(threads or cores(), rounds), "batch": sizes}
    return BenchTable({"file": str(file), "machine": machine(), "measurement": how, "rows": rows})


def _measure(
    file: Path, pairs: Sequence[tuple[str, str]], inputs: Mapping[int, Mapping[str, np.ndarray]], whole: bool, threads: int, rounds: int
) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = {size: str(scratch / f"{size}.npz") for size in inputs}
        for size, arrays in inputs.items():
            np.savez(paths[size], **arrays)  # type: ignore[arg-type]
        workers = [stack.enter_context(WorkerProcess(threads, PATIENCE)) for _ in pairs]
        rows: list[dict[str, Any]] = [{"runtime": name, "precision": precision} for name, precision in pairs]
        first: list[np.ndarray] = []
        for row, worker in zip(rows, workers, strict=True):
            row |= _opened(row, worker, file, paths[min(paths)], whole, threads, scratch / "outputs.npz", first)
        going = [index for index, row in enumerate(rows) if "reason" not in row]
        timings = time_in_rounds([workers[index] for index in going], paths, [whole] * len(going), rounds)
        for index, found in zip(going, timings, strict=True):
            rows[index] |= {"reason": found} if isinstance(found, str) else {"batches": _figures(found)}
        return rows


def _opened(
    row: Mapping[str, Any], worker: WorkerProcess, file: Path, inputs: str, whole: bool, threads: int, output: Path, first: list[np.ndarray]
) -> dict[str, Any]:
    """Load time and the difference from the outputs that came `first`; or the reason why there are none."""
    reason = runtime(row["runtime"]).available()
    if reason is not None:
        return {"reason": reason}
    try:
        version = worker.ask("load", runtime=row["runtime"])["version"]
        arguments = {"runtime": row["runtime"], "path": str(file), "precision": row["precision"], "threads": threads}
        seconds = worker.ask("open", **arguments, inputs=inputs, whole=whole)["seconds"]
        worker.ask("outputs", inputs=inputs, output=str(output))
    except WorkerError as error:
        return {"reason": str(error)}
    with np.load(output, allow_pickle=False) as file_of_arrays:
        outputs = [file_of_arrays[name] for name in file_of_arrays.files]
    first.extend([] if first else outputs)
    difference = max((_difference(a, b) for a, b in zip(outputs, first, strict=True)), default=0.0)
    return {"version": version, "load_seconds": seconds, "difference": difference, "agrees": difference <= AGREES}


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference relative to the largest expected value; infinite where shapes differ or a number is missing."""
    if found.shape != expected.shape or found.size == 0:
        return 0.0 if found.shape == expected.shape else float("inf")
    a, b = found.astype(np.float64), expected.astype(np.float64)
    largest = np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)
    return float(largest) if np.isfinite(largest) else 0.0 if np.array_equal(a, b, equal_nan=True) else float("inf")


def _figures(timings: Mapping[int, Timing]) -> dict[str, dict[str, float]]:
    figures = {size: timing.figures() for size, timing in timings.items()}
    return {str(size): {**found, "per_second": 1e3 * size / found["median"]} for size, found in figures.items()}


def _heading(table: Mapping[str, Any]) -> str:
    how = table["measurement"]
    text = f"{table['file']}: {how['threads']} threads, {how['rounds']} interleaved rounds after {how['warmup']} warm-up runs each"
    columns = "".join(f"  {f'batch {size}: ms (p90)':>24} {'per s':>9}" for size in how["batch"])
    return f"{text}\n{'runtime':12} {'precision':9} {'load s':>7}{columns}"


def _line(row: Mapping[str, Any]) -> str:
    start = f"{row['runtime']:12} {row['precision']:9}"
    if "batches" not in row:
        return f"{start} {row['reason']}"
    cells = [(f"{found['median']:.3f} ({found['p90']:.3f})", found["per_second"]) for found in row["batches"].values()]
    figures = "".join(f"  {latency:>24} {per_second:>9,.0f}" for latency, per_second in cells)
    note = "" if row["agrees"] else f"  outputs differ by {row['difference']:.1g} of the largest value"
    return f"{start} {row['load_seconds']:>7.2f}{figures}{note}"
