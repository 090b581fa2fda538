"""A teacher that is asked in a runtime, which answers several times as fast as what trains."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from allotrope.config import Settings
from allotrope.data.store.carried_columns import write_columns
from allotrope.frameworks.contract import Arrays
from allotrope.measure.candidates import calibrating, named_file
from allotrope.measure.choice import DECIDING
from allotrope.measure.file_answers import FileAnswers
from allotrope.measure.machine import cores
from allotrope.measure.runtime_worker import MEASURING
from allotrope.network.network import Network
from allotrope.process.worker import WorkerError, WorkerProcess
from allotrope.progress import Progress
from allotrope.runtimes import runtime as find_runtime
from allotrope.shrinking.distill import Answers
from allotrope.shrinking.quantize import QUANTIZERS
from allotrope.tasks.metric import Metric
from allotrope.verbs.pipeline.shrunk_values import Before

RUNTIME = "openvino"
WITNESS = "onnxruntime"
FILE = "teacher.onnx"
ROUNDED = "int8.onnx"
FEW = 8
"""Examples whose answers are compared."""
APART = {"float32": 1e-3, "bfloat16": 0.1, "int8": 0.3}
"""By how much of the largest answer those of the runtime may depart from the witness."""

LITTLE = 0.3
"""Points that a teacher in int8 may be worse than in float32."""


@contextmanager
def asked_teacher(
    network: Network,
    example: Arrays,
    settings: Settings,
    show: Progress,
    runtime: str = RUNTIME,
    quantizer: str | None = None,
) -> Iterator[Answers | None]:
    """What gives the network's answers to inputs such as `example`, a batch.

    It has the precision and the threads of a training, or is rounded to int8 by a `quantizer` on
    the example. None if the runtime is missing, cannot run the network, or answers other than ONNX
    Runtime does in float32: then the framework is asked.
    """
    if settings.device != "cpu" or find_runtime(runtime).available() is not None:
        yield None
        return
    forms = [settings.precision] if quantizer is None else ["int8", settings.precision]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network.save(folder / FILE)
        for precision in forms:
            try:
                file = FILE
                if precision == "int8":
                    assert quantizer is not None
                    file = _rounded(folder, example, quantizer, settings.threads)
                row = {"runtime": runtime, "precision": precision, "file": file}
                answers = stack.enter_context(FileAnswers(row, folder, settings.threads))
                reason = _unsuitable(answers, folder, example, precision)
            except WorkerError as error:
                reason = f"cannot run it: {error}"
            if reason is None:
                yield answers
                return
            show.say(f"the teacher is not asked in {precision}: {runtime} {reason}")
        yield None


def teaching_quantizer(before: Before, metric: Metric) -> str | None:
    """The quantizer by which the teacher answers as well and faster; None if there is none."""
    reference = before.reference[DECIDING]
    rows = [
        row
        for row in before.rows
        if (row["runtime"], row["precision"]) == (RUNTIME, "int8")
        and row["form"] in QUANTIZERS
        and "throughput" in row
        and metric.drop(reference, row[DECIDING]) <= LITTLE
    ]
    best = max(rows, key=lambda row: row["throughput"], default=None)
    return None if best is None else best["form"]


def _rounded(folder: Path, example: Arrays, quantizer: str, threads: int | None) -> str:
    """The name of the int8 file of the teacher. Raises: WorkerError."""
    inputs = folder / "calibration.npz"
    write_columns(inputs, calibrating(example))
    with WorkerProcess(MEASURING, threads or cores()) as worker:
        worker.ask(
            "quantize",
            method=quantizer,
            source=str(folder / FILE),
            calibration=str(inputs),
            named=str(named_file(folder, quantizer)),
            target=str(folder / ROUNDED),
        )
    return ROUNDED


def _unsuitable(answers: FileAnswers, folder: Path, example: Arrays, precision: str) -> str | None:
    """Why these answers are not to be learned from; None if they are right. Raises: WorkerError."""
    few = {name: column[:FEW] for name, column in example.items()}
    apart = departure(answers(few), _of_witness(folder, few))
    answers.tune(example)
    if apart <= APART[precision]:
        return None
    return f"answers other than {WITNESS} does, by {apart:.1%} of the largest answer"


def _of_witness(folder: Path, few: Arrays) -> dict[str, np.ndarray]:
    row = {"runtime": WITNESS, "precision": "float32", "file": FILE}
    with FileAnswers(row, folder) as answers:
        return answers(few)


def departure(answers: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    """The largest difference, as a share of the largest answer of its output; inf for NaN."""
    shares = [
        float(np.abs(answers[name] - values).max() / max(float(np.abs(values).max()), 1e-6))
        for name, values in expected.items()
    ]
    return max((share if np.isfinite(share) else np.inf for share in shares), default=0.0)
