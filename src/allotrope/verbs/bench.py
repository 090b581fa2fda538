"""`bench`: any ONNX file, measured in every runtime that is installed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import AllotropeError
from allotrope.measure.declared import Declared, declared
from allotrope.measure.free_lengths import resolved
from allotrope.measure.kinds import described
from allotrope.measure.machine import cores, machine
from allotrope.measure.plain import plain
from allotrope.measure.random_inputs import (
    fixed_batch,
    has_free_batch,
    is_divisible,
    named_lengths,
    random_inputs,
)
from allotrope.measure.roles import Role, roles
from allotrope.measure.rounds import USUAL, Timing, Turns, measurement, time_in_rounds
from allotrope.measure.runtime_worker import MEASURING
from allotrope.measure.yardstick import AGREES, Yardstick, read_outputs, yardstick
from allotrope.network.graph import Graph, Value
from allotrope.network.network import Network
from allotrope.network.reading.read import load
from allotrope.option import ABOVE_0, Option, check_values
from allotrope.process.carried_arrays import write_arrays
from allotrope.process.worker import WorkerError, WorkerProcess
from allotrope.runtimes import RUNTIMES, runtime
from allotrope.verbs.declaring import takes
from allotrope.wording import counted

BATCHES = (1, 64)

RUNTIME_NAMES = Option("runtimes", "which to measure; all by default.", several=True)
BATCH = Option(
    "batch",
    "batch sizes, if the first dimension of the inputs is free.",
    range=ABOVE_0,
    several=True,
)

BENCH = (
    Option("file", "an ONNX file of any kind of network."),
    RUNTIME_NAMES,
    BATCH,
    Option("threads", "processor threads; all cores by default.", range=ABOVE_0),
    Option(
        "dimensions",
        "lengths of other free dimensions, such as sequence=128 or height=224,width=224; "
        "input:2=224 if one has no name.",
    ),
    Option("rounds", "how often each runtime has its turn.", range=ABOVE_0),
)


@dataclass(frozen=True)
class BenchTable:
    """A row for each runtime and precision in `json`; printed, it is a table."""

    json: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """1 where no runtime ran the file."""
        if any("batches" in row for row in self.json["rows"]):
            return 0
        return 1

    def __str__(self) -> str:
        return "\n".join([*self.json["notes"], _heading(self.json), *map(_line, self.json["rows"])])


@takes(BENCH)
def bench(
    file: str | Path,
    *,
    runtimes: Sequence[str] | None = None,
    batch: Sequence[int] = BATCHES,
    threads: int | None = None,
    dimensions: Sequence[str] = (),
    rounds: int = USUAL.rounds,
) -> BenchTable:
    """Measure an ONNX file in every installed runtime, on random inputs, in interleaved rounds.

    Nothing but its inputs and outputs needs to be understood here: what a runtime can run is
    measured. Outputs are compared with the float64 reference, or, if that cannot compute the file,
    with ONNX Runtime without optimizations.

    Example: allotrope bench model.onnx --batch 1 --batch 64 --dimensions height=224,width=224

    Raises: ModelError for a file that is broken, UsageError for options that do not fit it.
    """
    check_values(BENCH, locals())
    measured = [runtime(name) for name in RUNTIME_NAMES.parts(runtimes) or RUNTIMES]
    batches = BATCH.parts(batch) or BATCHES
    interface = declared(Path(file))
    lengths = resolved(interface, dimensions)
    values = lengths.fixed(interface.inputs)
    if has_free_batch(values):
        sizes = sorted(set(batches))
    else:
        sizes = [fixed_batch(values)]
    taken = _roles(Path(file), values, named_lengths(interface.inputs, max(sizes), lengths.by_name))
    kinds = {name: role.kind for name, role in taken.items()}
    inputs = {size: random_inputs(values, size, {}, kinds=kinds) for size in sizes}
    pairs = [
        (one.name, precision)
        for one in measured
        for precision in one.precisions
        if precision != "int8"
    ]
    rows, expected = _measure(Path(file), interface, pairs, inputs, threads or cores(), rounds)
    said = [f"'{name}' gets {described(role.kind)}: {role.because}" for name, role in taken.items()]
    notes = [*lengths.lines, *said, expected.line]
    how = {
        **measurement(threads or cores(), Turns(rounds)),
        "batch": sizes,
        "lengths": dict(lengths.by_name),
    }
    return BenchTable(
        {"file": str(file), "machine": machine(), "measurement": how, "notes": notes, "rows": rows}
    )


def _roles(file: Path, inputs: tuple[Value, ...], lengths: Mapping[str, int]) -> dict[str, Role]:
    """What inputs are for: by their use, or by name if the network is not understood."""
    try:
        return roles(load(file, repair=False), lengths)
    except AllotropeError:
        return roles(Network(Graph(inputs, inputs, ()), {}, frozenset()), lengths)


def _is_divisible(interface: Declared) -> bool:
    """Whether the batch may be run in parts: numbers in, numbers out."""
    numbers = all(value.dtype.kind in "biuf" for value in (*interface.inputs, *interface.outputs))
    return numbers and is_divisible(interface.inputs, interface.outputs)


def _measure(
    file: Path,
    interface: Declared,
    pairs: Sequence[tuple[str, str]],
    inputs: Mapping[int, Mapping[str, np.ndarray]],
    threads: int,
    rounds: int,
) -> tuple[list[dict[str, Any]], Yardstick]:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = {size: str(scratch / f"{size}.npz") for size in inputs}
        for size, arrays in inputs.items():
            write_arrays(Path(paths[size]), dict(zip(arrays, plain(arrays), strict=True)))
        whole, names = not _is_divisible(interface), [value.name for value in interface.outputs]
        expected = yardstick(file, names, paths[min(paths)], threads, scratch)
        workers = [stack.enter_context(WorkerProcess(MEASURING, threads)) for _ in pairs]
        rows: list[dict[str, Any]] = [
            {"runtime": name, "precision": precision} for name, precision in pairs
        ]
        for row, worker in zip(rows, workers, strict=True):
            row |= _opened(
                row,
                worker,
                file,
                paths[min(paths)],
                whole,
                threads,
                scratch / "outputs.npz",
                expected,
            )
        going = [index for index, row in enumerate(rows) if "reason" not in row]
        timings = time_in_rounds(
            [workers[index] for index in going], paths, [whole] * len(going), Turns(rounds)
        )
        for index, timing in zip(going, timings, strict=True):
            if isinstance(timing, str):
                rows[index] |= {"reason": timing}
            else:
                rows[index] |= {"batches": _figures(timing)}
        return rows, expected


def _opened(
    row: Mapping[str, Any],
    worker: WorkerProcess,
    file: Path,
    inputs: str,
    whole: bool,
    threads: int,
    output: Path,
    expected: Yardstick,
) -> dict[str, Any]:
    """Load time and the difference from what is expected; or the reason why there are none."""
    reason = runtime(row["runtime"]).available()
    if reason is not None:
        return {"reason": reason}
    try:
        version = worker.ask("load", runtime=row["runtime"])["version"]
        arguments = {
            "runtime": row["runtime"],
            "path": str(file),
            "precision": row["precision"],
            "threads": threads,
        }
        seconds = worker.ask("open", **arguments, inputs=inputs, whole=whole)["seconds"]
        worker.ask("outputs", inputs=inputs, output=str(output))
    except WorkerError as error:
        return {"reason": str(error)}
    difference = expected.difference(read_outputs(output), row["runtime"])
    return {
        "version": version,
        "load_seconds": seconds,
        "difference": difference,
        "agrees": difference <= AGREES,
    }


def _figures(timings: Mapping[int, Timing]) -> dict[str, dict[str, float]]:
    figures = {size: timing.figures() for size, timing in timings.items()}
    return {
        str(size): {**latency, "per_second": 1e3 * size / latency["median"]}
        for size, latency in figures.items()
    }


def _heading(table: Mapping[str, Any]) -> str:
    how = table["measurement"]
    text = (
        f"{table['file']}: {counted(how['threads'], 'thread')}, "
        f"{counted(how['rounds'], 'interleaved round')} after "
        f"{counted(how['warmup'], 'warm-up run')} each"
    )
    columns = "".join(f"  {f'batch {size}: ms (p90)':>24} {'per s':>9}" for size in how["batch"])
    return f"{text}\n{'runtime':12} {'precision':9} {'load s':>7}{columns}"


def _line(row: Mapping[str, Any]) -> str:
    start = f"{row['runtime']:12} {row['precision']:9}"
    if "batches" not in row:
        return f"{start} {row['reason']}"
    cells = [
        (f"{latency['median']:.3f} ({latency['p90']:.3f})", latency["per_second"])
        for latency in row["batches"].values()
    ]
    figures = "".join(f"  {latency:>24} {per_second:>9,.0f}" for latency, per_second in cells)
    return f"{start} {row['load_seconds']:>7.2f}{figures}{_departure(row)}"


def _departure(row: Mapping[str, Any]) -> str:
    if row["agrees"]:
        return ""
    if row["difference"] == float("inf"):
        return "  outputs are of other shapes or texts, or numbers are missing"
    return f"  outputs differ by {row['difference']:.1g} of the largest value"
