"""One framework's answers to one task: recorded by a fresh process, each part for itself, so that one that is refused leaves the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from allotrope.measure.agreement.arrays import Arrays, StepFiles, read_arrays
from allotrope.measure.agreement.task import Task
from allotrope.measure.process import PATIENCE, WorkerError, WorkerProcess

WORKER = "allotrope.measure.agreement.worker"
"""What each process runs."""

PARTS = ("outputs", "gradients", "training")
"""What a framework is asked for."""

AT_ONCE = 20
"""Training steps between two lines of progress."""


@dataclass
class Recording:
    """What came out; None or empty for a part of which `refused` holds the reason, or all of whose process failed."""

    framework: str
    precision: str
    version: str | None = None
    outputs: Arrays | None = None
    training_outputs: Arrays | None = None
    gradients: Arrays | None = None
    losses: Sequence[float] = ()
    weights: Mapping[int, Arrays] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    failure: str | None = None


def record(
    framework: str,
    task: Task,
    steps: int,
    kept: Sequence[int],
    threads: int,
    folder: Path,
    say: Callable[[str], None],
    parts: Collection[str] = PARTS,
) -> Recording:
    """Has a fresh process do the task, all `parts` of it. `kept` are the training steps after which weights are kept, in `folder`."""
    found = Recording(framework, task.precision)
    folder.mkdir(parents=True)
    with WorkerProcess(threads, PATIENCE, WORKER) as worker:
        try:
            found.version = worker.ask("begin", framework=framework, task=asdict(task))["version"]
            if "outputs" in parts:
                say("outputs")
                found.outputs = _arrays(found, worker, "outputs", "outputs", folder / "outputs.npz", training=False)
                found.training_outputs = _arrays(found, worker, "training outputs", "outputs", folder / "training.npz", training=True)
            if "gradients" in parts and task.network.trainable and task.outputs:
                say("gradients")
                found.gradients = _arrays(found, worker, "gradients", "gradients", folder / "gradients.npz")
            if "training" in parts and steps:
                _train(found, worker, steps, kept, folder, say)
        except WorkerError as error:
            found.failure = str(error)
    return found


def _arrays(found: Recording, worker: WorkerProcess, part: str, command: str, file: Path, **arguments: Any) -> Arrays | None:
    answer = worker.ask(command, output=str(file), **arguments)
    if "refused" in answer:
        found.refused[part] = answer["refused"]
        return None
    return read_arrays(file)


def _train(found: Recording, worker: WorkerProcess, steps: int, kept: Sequence[int], folder: Path, say: Callable[[str], None]) -> None:
    losses: list[float] = []
    for first in range(1, steps + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, steps)
        say(f"training steps {first} to {last} of {steps}")
        answer = worker.ask("train", first=first, last=last, kept=list(kept), folder=str(folder))
        if "refused" in answer:
            found.refused["training"] = answer["refused"]
            return
        losses += answer["losses"]
    found.losses, found.weights = losses, StepFiles(folder, tuple(kept))


def steps_kept(steps: int, weight_bytes: int, room: int) -> list[int]:
    """The steps after which weights are kept: all where they fit into `room` bytes, else the first, the last and ever fewer between."""
    if steps < 2 or steps * weight_bytes <= room:
        return list(range(1, steps + 1))
    count = max(2, room // weight_bytes)
    ratio = steps ** (1 / (count - 1))
    return sorted({1, steps, *(round(ratio**power) for power in range(count))} & set(range(1, steps + 1)))
