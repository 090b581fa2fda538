"""A teacher that is asked in a runtime, which answers several times as fast as what trains."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from allotrope.config import Settings
from allotrope.frameworks.contract import Arrays
from allotrope.measure.file_answers import FileAnswers
from allotrope.network.network import Network
from allotrope.process.worker import WorkerError
from allotrope.progress import Progress
from allotrope.runtimes import runtime as find_runtime
from allotrope.shrinking.distill import Answers

RUNTIME = "openvino"
WITNESS = "onnxruntime"
FILE = "teacher.onnx"
FEW = 8
"""Examples whose answers are compared."""
APART = {"float32": 1e-3, "bfloat16": 0.1}
"""By how much of the largest answer those of the runtime may depart from the witness."""


@contextmanager
def asked_teacher(
    network: Network,
    example: Arrays,
    settings: Settings,
    show: Progress,
    runtime: str = RUNTIME,
) -> Iterator[Answers | None]:
    """What gives the network's answers to inputs such as `example`, a batch.

    It has the precision and the threads of a training. None if the runtime is missing, cannot run
    the network, or answers other than ONNX Runtime does in float32: then the framework is asked.
    """
    if settings.device != "cpu" or find_runtime(runtime).available() is not None:
        yield None
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network.save(folder / FILE)
        row = {"runtime": runtime, "precision": settings.precision, "file": FILE}
        answers = stack.enter_context(FileAnswers(row, folder, settings.threads))
        reason = _unsuitable(answers, folder, example, settings.precision)
        if reason is not None:
            show.say(f"the teacher is asked in the framework: {runtime} {reason}")
        yield answers if reason is None else None


def _unsuitable(answers: FileAnswers, folder: Path, example: Arrays, precision: str) -> str | None:
    """Why these answers are not to be learned from; None if they are right."""
    few = {name: column[:FEW] for name, column in example.items()}
    try:
        apart = departure(answers(few), _of_witness(folder, few))
        answers.tune(example)
    except WorkerError as error:
        return f"cannot run it: {error}"
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
