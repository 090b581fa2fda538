"""The candidates of a network: every form in every runtime, measured side by side, each in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Target
from allotrope.data.images import ImageSplit
from allotrope.measure.choice import judge
from allotrope.measure.machine import cores
from allotrope.measure.rounds import BATCH, SINGLE, Timing, time_in_rounds
from allotrope.measure.worker import MEASURING
from allotrope.network.network import Network
from allotrope.process.worker import PATIENCE, WorkerError, WorkerProcess
from allotrope.runtimes import runtime

CALIBRATION_IMAGES = 300
"""NNCF's own default; more changed no accuracy here."""

FLOAT_FILE = "model.onnx"
INT8_FOLDER = "candidates"


@dataclass(frozen=True)
class Candidate:
    """One file in one runtime at one precision; `form` names the quantizer that makes the file from `source`, where it must be made."""

    runtime: str
    precision: str
    file: Path
    form: str = ""
    baseline: bool = False
    source: Path | None = None

    @property
    def row(self) -> dict[str, Any]:
        """What is known before anything is measured."""
        return {"runtime": self.runtime, "precision": self.precision, "form": self.form, "baseline": self.baseline}


def measure_candidates(
    network: Network,
    calibration: ImageSplit,
    validation: ImageSplit,
    test: ImageSplit,
    folder: Path,
    target: Target,
    threads: int | None = None,
    report: Callable[[str], None] = lambda line: None,
    among: Callable[[Path], list[Candidate]] | None = None,
) -> list[dict[str, Any]]:
    """A row for each candidate of a network that takes images uint8 [n, h, w, c] and gives probabilities [n, k].

    Writes `folder`/model.onnx, and the int8 files to `folder`/candidates; `file` in a row is relative to `folder`. What fails is
    a row with its reason. `among` says which candidates there are, by default all.
    `calibration` are training images. Test accuracy is reported and decides nothing.
    """
    network.save(folder / FLOAT_FILE)
    (folder / INT8_FOLDER).mkdir(exist_ok=True)
    rows = measure((among or candidates)(folder), calibration.images[_spread(len(calibration))], validation, test, threads, report)
    for row in rows:
        row["file"] = str(Path(row["file"]).relative_to(folder))
    return judge(rows, target)


def candidates(folder: Path) -> list[Candidate]:
    """What there is to try, whether installed or not.

    NNCF's int8 files are the fastest in OpenVINO and no faster than float32 in ONNX Runtime; ONNX Runtime's serve both, and
    are OpenVINO's second chance where NNCF's lose too much accuracy.
    """
    float32, files = folder / FLOAT_FILE, folder / INT8_FOLDER
    by_nncf, by_onnxruntime = files / "int8-nncf.onnx", files / "int8-onnxruntime.onnx"
    return [
        Candidate("pytorch", "float32", float32, baseline=True),
        Candidate("onnxruntime", "float32", float32),
        Candidate("onnxruntime", "int8", by_onnxruntime, "onnxruntime", source=float32),
        Candidate("openvino", "float32", float32),
        Candidate("openvino", "bfloat16", float32),
        Candidate("openvino", "int8", by_onnxruntime, "onnxruntime", source=float32),
        Candidate("openvino", "int8", by_nncf, "nncf", source=float32),
    ]


def measure(
    candidates: Sequence[Candidate],
    calibration: np.ndarray,
    validation: ImageSplit,
    test: ImageSplit,
    threads: int | None = None,
    report: Callable[[str], None] = lambda line: None,
    patience: float = PATIENCE,
) -> list[dict[str, Any]]:
    """A row for each candidate, in their order; files that a quantizer must make are made first."""
    threads = threads or cores()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        splits = {"validation": validation, "test": test}
        arrays = {name: split.images for name, split in splits.items()} | {"calibration": calibration}
        arrays |= {"single": validation.images[:SINGLE], "batch": _resized(validation.images, BATCH)}
        inputs = {name: _written(scratch / f"{name}.npz", array) for name, array in arrays.items()}
        stage = _Stage(candidates, [stack.enter_context(WorkerProcess(MEASURING, threads, patience)) for _ in candidates], threads)
        stage.load()
        report(f"measuring {len(candidates)} candidates with {threads} threads")
        stage.quantize(inputs["calibration"], stack)
        stage.open(inputs["single"], inputs["batch"])
        for name, split in splits.items():
            stage.predict(name, inputs[name], split.labels, scratch / "probabilities.npy")
        stage.time(inputs["single"], inputs["batch"])
        return stage.rows


class _Stage:
    """The rows of candidates under way. One that fails keeps its reason and is left out of what follows."""

    def __init__(self, candidates: Sequence[Candidate], workers: Sequence[WorkerProcess], threads: int) -> None:
        self._candidates, self._workers, self._threads = candidates, workers, threads
        self.rows = [{**candidate.row, "file": str(candidate.file)} for candidate in candidates]

    def load(self) -> None:
        """Every worker imports its runtime, all at once."""
        missing = {candidate.runtime: runtime(candidate.runtime).available() for candidate in self._candidates}

        def load(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            reason = missing[candidate.runtime]
            if reason is not None:
                raise WorkerError(reason)
            worker.send("load", runtime=candidate.runtime)

        self._each(load)

    def quantize(self, calibration: str, stack: ExitStack) -> None:
        """Makes the int8 files, each quantizer in a worker of its own, while the runtimes are being imported."""
        quantizers: dict[str, WorkerProcess] = {}
        for candidate in self._candidates:
            if candidate.source is not None and candidate.form not in quantizers:
                process = WorkerProcess(MEASURING, self._threads, self._workers[0].patience)
                worker = quantizers[candidate.form] = stack.enter_context(process)
                files = {"source": str(candidate.source), "target": str(candidate.file)}
                worker.send("quantize", method=candidate.form, calibration=calibration, **files)
        failures = {}
        for form, worker in quantizers.items():
            try:
                worker.receive()
            except WorkerError as error:
                failures[form] = f"not quantized: {error}"
            worker.close()

        def loaded(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            worker.receive()
            if candidate.form in failures:
                raise WorkerError(failures[candidate.form])

        self._each(loaded)

    def open(self, single: str, batch: str) -> None:
        """Opens the files one after the other, and lets each session choose how it runs a batch."""

        def opened(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            arguments = {"runtime": candidate.runtime, "path": str(candidate.file), "precision": candidate.precision}
            row["load_seconds"] = worker.ask("open", **arguments, threads=self._threads, inputs=single, whole=False)["seconds"]
            row["size_bytes"] = candidate.file.stat().st_size
            row["options"] = worker.ask("tune", inputs=batch)["options"]

        self._each(opened)

    def predict(self, name: str, images: str, labels: np.ndarray, output: Path) -> None:
        """The accuracy on a split, as `<name>_accuracy`."""

        def predicted(candidate: Candidate, worker: WorkerProcess, row: dict[str, Any]) -> None:
            worker.ask("predict", inputs=images, output=str(output))
            probabilities = np.load(output, allow_pickle=False)
            if not np.isfinite(probabilities).all():
                raise WorkerError(f"gives probabilities that are not numbers on the {name} images")
            row[f"{name}_accuracy"] = float((probabilities.argmax(1) == labels).mean())

        self._each(predicted)

    def time(self, single: str, batch: str) -> None:
        """Latency at batch 1 and throughput in batches."""
        going = [index for index, row in enumerate(self.rows) if "reason" not in row]
        workers = [self._workers[index] for index in going]
        for index, timings in zip(going, time_in_rounds(workers, {SINGLE: single, BATCH: batch}, [False] * len(going)), strict=True):
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


def _speed(timings: dict[int, Timing]) -> dict[str, Any]:
    batch = timings[BATCH].figures()
    return {
        "latency_ms": timings[SINGLE].figures(),
        "batch_latency_ms": batch,
        "throughput": 1e3 * BATCH / batch["median"],
        "throughput_spread": batch["spread"],
    }


def _written(path: Path, array: np.ndarray) -> str:
    np.savez(path, image=array)
    return str(path)


def _resized(images: np.ndarray, count: int) -> np.ndarray:
    """`count` images, repeated from the first where there are fewer."""
    return images[np.arange(count) % len(images)]


def _spread(count: int) -> np.ndarray:
    """Rows of at most `CALIBRATION_IMAGES` images, evenly spread over all."""
    return np.unique(np.linspace(0, count - 1, min(count, CALIBRATION_IMAGES)).astype(int))
