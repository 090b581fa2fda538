"""A network's candidates: every form in every runtime, side by side, a process each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Target
from allotrope.data.store.carried_columns import write_columns
from allotrope.measure.choice import judge
from allotrope.measure.machine import cores
from allotrope.measure.network_files import FLOAT_FILE, INT8_FOLDER, source_in, write_network
from allotrope.measure.rounds import BATCH, SINGLE, USUAL, Timing, Turns, time_in_rounds
from allotrope.measure.runtime_worker import MEASURING
from allotrope.measure.timed_lengths import cut_in_words
from allotrope.memory_limit import give_back
from allotrope.network.network import Network
from allotrope.process.carried_arrays import read_arrays
from allotrope.process.worker import PATIENCE, WorkerError, WorkerProcess
from allotrope.runtimes import runtime
from allotrope.shrinking.stripped import strip
from allotrope.tasks.metric import Metric
from allotrope.wording import counted

Arrays = Mapping[str, np.ndarray]
CALIBRATION = 300
"""How many examples calibrate: NNCF's own default; more changed nothing here."""


@dataclass(frozen=True)
class Split:
    """Raw inputs by name, and what their answers by name are worth in the metric that decides.

    `figures` are what else the rows are to say of the answers. `of_forms` judge the answers of
    candidates of a form that has, say, thresholds of its own. `timed` takes so many examples of
    `inputs` to measure times with.
    """

    inputs: Arrays
    judged: Callable[[Arrays], float]
    figures: Callable[[Arrays], Mapping[str, Any]] = lambda answers: {}
    of_forms: Mapping[str, Split] = field(default_factory=dict)
    timed: Callable[[Arrays, int], Arrays] = lambda inputs, count: _resized(inputs, count)


@dataclass(frozen=True)
class Candidate:
    """One file in one runtime at one precision.

    `source` is the file from which it must be made: by the `quantizer`, or that which `form` names,
    or without one as it is, stripped. `facts` are what else its row is to say.
    """

    runtime: str
    precision: str
    file: Path
    form: str = ""
    baseline: bool = False
    source: Path | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    quantizer: str | None = None

    @property
    def method(self) -> str:
        """The quantizer by which it must be made; nothing if it is there, or is made by none."""
        if self.source is None:
            return ""
        return self.form if self.quantizer is None else self.quantizer

    @property
    def row(self) -> dict[str, Any]:
        """What is known before anything is measured."""
        return {
            "runtime": self.runtime,
            "precision": self.precision,
            "form": self.form,
            "baseline": self.baseline,
            **self.facts,
        }


@dataclass(frozen=True)
class Bench:
    """What candidates are measured with: files of inputs by name, and how many threads.

    `deciding` is the split `validation`, `patience` the seconds that an answer may take. In
    `folder` the files of quantizers lie as they wrote them, by form: with the names of nodes.
    """

    folder: Path
    inputs: Mapping[str, str]
    deciding: Split
    threads: int
    patience: float
    report: Callable[[str], None]


Further = Callable[[Sequence[Candidate], Sequence[Mapping[str, Any]], Bench], list[Candidate]]
"""Candidates that follow from what the others answer: these, their rows before they are timed."""


def measure_candidates(
    network: Network,
    calibration: Arrays,
    splits: Mapping[str, Split],
    folder: Path,
    target: Target,
    metric: Metric,
    threads: int | None = None,
    report: Callable[[str], None] = lambda line: None,
    among: Callable[[Path], list[Candidate]] | None = None,
    further: Further | None = None,
    turns: Turns = USUAL,
    form: Network | None = None,
) -> list[dict[str, Any]]:
    """A row for each candidate of a network of raw inputs and answers in units, by name.

    Writes `folder`/model.onnx, and what may be delivered to `folder`/candidates; `file` in a row
    is relative to `folder`. What fails is a row with its reason. `among` says which candidates
    there are, by default all. `calibration` are inputs of training examples. `splits` are
    `validation`, which decides, and `test`, which is reported. `further` are candidates behind
    these. All but the baseline are made of the `form`, a faster one of the same answers.
    """
    write_network(network, form or network, folder)
    every = (among or candidates)(folder)
    how: dict[str, Any] = {"further": further, "turns": turns}
    rows = measure(every, calibrating(calibration), splits, threads, report, **how)
    for row in rows:
        row["file"] = str(Path(row["file"]).relative_to(folder))
    return judge(rows, target, metric)


def candidates(folder: Path) -> list[Candidate]:
    """What there is to try, whether installed or not.

    NNCF's int8 files are the fastest in OpenVINO and no faster than float32 in ONNX Runtime; ONNX
    Runtime's serve both, and are OpenVINO's second chance if NNCF's lose too much.
    """
    whole, files, source = folder / FLOAT_FILE, folder / INT8_FOLDER, source_in(folder)
    float32 = files / "float32.onnx"
    by_nncf, by_onnxruntime = files / "int8-nncf.onnx", files / "int8-onnxruntime.onnx"
    return [
        Candidate("pytorch", "float32", whole, baseline=True),
        Candidate("onnxruntime", "float32", float32, source=source),
        Candidate("onnxruntime", "int8", by_onnxruntime, "onnxruntime", source=source),
        Candidate("openvino", "float32", float32, source=source),
        Candidate("openvino", "bfloat16", float32, source=source),
        Candidate("openvino", "int8", by_onnxruntime, "onnxruntime", source=source),
        Candidate("openvino", "int8", by_nncf, "nncf", source=source),
    ]


def measure(
    candidates: Sequence[Candidate],
    calibration: Arrays,
    splits: Mapping[str, Split],
    threads: int | None = None,
    report: Callable[[str], None] = lambda line: None,
    patience: float = PATIENCE,
    further: Further | None = None,
    turns: Turns = USUAL,
) -> list[dict[str, Any]]:
    """A row for each candidate, in their order; files that a quantizer must make are made first.

    Those of `further` come behind, timed in the same rounds.
    """
    threads = threads or cores()
    # A process a candidate is started: what a training left behind is of use to them.
    give_back()
    for target, source in _to_strip(candidates).items():
        strip(source, target)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        arrays = {name: split.inputs for name, split in splits.items()}
        deciding = splits["validation"]
        timed = {size: deciding.timed(deciding.inputs, size) for size in (SINGLE, BATCH)}
        arrays |= {"single": timed[SINGLE], "batch": timed[BATCH]}
        arrays["calibration"] = calibration
        inputs = {name: _written(scratch / f"{name}.npz", part) for name, part in arrays.items()}

        def stage_of(each: Sequence[Candidate]) -> _Stage:
            workers = [
                stack.enter_context(WorkerProcess(MEASURING, threads, patience)) for _ in each
            ]
            return _Stage(each, workers, threads)

        def answered(stage: _Stage) -> None:
            stage.quantize(inputs["calibration"], scratch, stack)
            stage.open(inputs["single"], inputs["batch"])
            for name, split in splits.items():
                stage.predict(name, inputs[name], split, scratch / "answers.npz")

        stage = stage_of(candidates)
        stage.load()
        candidates_said = counted(len(candidates), "candidate")
        report(f"measuring {candidates_said} with {counted(threads, 'thread')}")
        for line in cut_in_words(deciding.inputs, timed):
            report(line)
        answered(stage)
        if further is not None:
            bench = Bench(scratch, inputs, deciding, threads, patience, report)
            behind = stage_of(further(candidates, stage.rows, bench))
            behind.load()
            answered(behind)
            stage = stage.joined(behind)
        stage.time(inputs["single"], inputs["batch"], turns)
        return stage.rows


def _to_strip(candidates: Sequence[Candidate]) -> dict[Path, Path]:
    """The files that are another as it is, stripped, each with that other."""
    return {one.file: one.source for one in candidates if one.source is not None and not one.method}


class _Stage:
    """The rows of candidates under way.

    One that fails keeps its reason and is left out of what follows.
    """

    def __init__(
        self, candidates: Sequence[Candidate], workers: Sequence[WorkerProcess], threads: int
    ) -> None:
        self._candidates, self._workers, self._threads = candidates, workers, threads
        self.rows = [{**candidate.row, "file": str(candidate.file)} for candidate in candidates]

    def joined(self, behind: _Stage) -> _Stage:
        """Both, to be timed together."""
        workers = [*self._workers, *behind._workers]
        joined = _Stage([*self._candidates, *behind._candidates], workers, self._threads)
        joined.rows = [*self.rows, *behind.rows]
        return joined

    def load(self) -> None:
        """Every worker imports its runtime, all at once."""
        missing = {
            candidate.runtime: runtime(candidate.runtime).available()
            for candidate in self._candidates
        }

        def load(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            reason = missing[candidate.runtime]
            if reason is not None:
                raise WorkerError(reason)
            worker.send("load", runtime=candidate.runtime)

        self._each(load)

    def quantize(self, calibration: str, scratch: Path, stack: ExitStack) -> None:
        """Makes the int8 files, a worker a file, while the runtimes are being imported.

        As the quantizers wrote them they lie in `scratch`.
        """
        quantizers: dict[Path, WorkerProcess] = {}
        for candidate in self._candidates:
            if candidate.method and candidate.file not in quantizers:
                process = WorkerProcess(MEASURING, self._threads, self._workers[0].patience)
                worker = quantizers[candidate.file] = stack.enter_context(process)
                files = {
                    "source": str(candidate.source),
                    "named": str(named_file(scratch, _name_of(candidate))),
                    "target": str(candidate.file),
                }
                worker.send("quantize", method=candidate.method, calibration=calibration, **files)
        failures = {}
        for file, worker in quantizers.items():
            try:
                worker.receive()
            except WorkerError as error:
                failures[file] = f"not quantized: {error}"
            worker.close()

        def loaded(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            worker.receive()
            if candidate.file in failures:
                raise WorkerError(failures[candidate.file])

        self._each(loaded)

    def open(self, single: str, batch: str) -> None:
        """Opens the files one after the other, and lets each session choose how it runs a batch."""

        def opened(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            arguments = {
                "runtime": candidate.runtime,
                "path": str(candidate.file),
                "precision": candidate.precision,
            }
            row["load_seconds"] = worker.ask(
                "open", **arguments, threads=self._threads, inputs=single, whole=False
            )["seconds"]
            row["size_bytes"] = candidate.file.stat().st_size
            row["options"] = worker.ask("tune", inputs=batch)["options"]

        self._each(opened)

    def predict(self, name: str, inputs: str, split: Split, output: Path) -> None:
        """The metric on a split, as `<name>_metric`, and its figures as `<name>_<figure>`."""

        def predicted(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            worker.ask("predict", inputs=inputs, output=str(output))
            answers = read_arrays(output)
            wrong = [f"'{one}'" for one, array in answers.items() if not np.isfinite(array).all()]
            if wrong:
                where = f"on the {name} examples"
                raise WorkerError(f"gives answers {', '.join(wrong)} that are not numbers {where}")
            judge = split.of_forms.get(candidate.form, split)
            row[f"{name}_metric"] = judge.judged(answers)
            row |= {f"{name}_{key}": value for key, value in judge.figures(answers).items()}

        self._each(predicted)

    def time(self, single: str, batch: str, turns: Turns) -> None:
        """Latency at batch 1 and throughput in batches."""
        going = [index for index, row in enumerate(self.rows) if "reason" not in row]
        workers = [self._workers[index] for index in going]
        sizes, whole = {SINGLE: single, BATCH: batch}, [False] * len(going)
        for index, timings in zip(going, time_in_rounds(workers, sizes, whole, turns), strict=True):
            if isinstance(timings, str):
                self.rows[index]["reason"] = timings
            else:
                self.rows[index] |= _speed(timings)

        def weighed(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            row["peak_memory_bytes"] = worker.ask("memory")["bytes"]

        self._each(weighed)

    def _each(self, action: Callable[[Candidate, WorkerProcess, dict[str, Any]], None]) -> None:
        for candidate, worker, row in zip(self._candidates, self._workers, self.rows, strict=True):
            if "reason" not in row:
                try:
                    action(candidate, worker, row)
                except WorkerError as error:
                    row["reason"] = str(error)


def _name_of(candidate: Candidate) -> str:
    """The form; of a form that no quantizer is called by, the quantizer behind it."""
    if candidate.quantizer is None:
        return candidate.form
    return f"{candidate.form}-{candidate.quantizer}"


def named_file(folder: Path, form: str) -> Path:
    """Where the file of a quantizer lies with all of its names."""
    return folder / f"{form}.onnx"


def _speed(timings: dict[int, Timing]) -> dict[str, Any]:
    batch = timings[BATCH].figures()
    return {
        "latency_ms": timings[SINGLE].figures(),
        "batch_latency_ms": batch,
        "throughput": 1e3 * BATCH / batch["median"],
        "throughput_spread": batch["spread"],
    }


def _written(path: Path, arrays: Arrays) -> str:
    write_columns(path, arrays)
    return str(path)


def _count(arrays: Arrays) -> int:
    """The number of examples."""
    return len(next(iter(arrays.values())))


def _resized(arrays: Arrays, count: int) -> Arrays:
    """`count` examples, repeated from the first if there are fewer."""
    rows = np.arange(count) % _count(arrays)
    return {name: array[rows] for name, array in arrays.items()}


def calibrating(columns: Arrays) -> dict[str, np.ndarray]:
    """The examples of these columns from which int8 files take their ranges."""
    rows = spread(_count(columns), CALIBRATION)
    return {name: column[rows] for name, column in columns.items()}


def spread(count: int, most: int) -> np.ndarray:
    """At most so many rows, evenly spread over `count`."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
