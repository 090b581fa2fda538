"""One framework's answers, each part alone: one that is refused leaves the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.step_files import Arrays, StepFiles
from allotrope.process.carried_arrays import read_arrays
from allotrope.process.worker import WorkerError, WorkerProcess

WORKER = "allotrope.measure.agreement.framework_worker"
"""What each process runs."""

PARTS = ("outputs", "gradients", "training")
"""What a framework is asked for."""

LONG_GRADIENTS = 4.0
"""Seconds of gradients beyond which they are not taken for a batch of 1 as well."""

AT_ONCE = 20
"""Training steps between two lines of progress."""


@dataclass
class Recording:
    """What came out.

    None or empty for a part of which `refused` holds the reason, or all of whose process failed.
    """

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
    single: Recording | None = None
    notes: list[str] = field(default_factory=list)


class Recorder:
    """One framework in a process of its own, which does one computation after another.

    One that failed is followed by a fresh one. `long` are trainings that are worth compiling well.
    """

    def __init__(self, framework: str, threads: int, long: bool = False) -> None:
        self.framework, self._threads, self._long = framework, threads, long
        self._worker: WorkerProcess | None = None

    def record(
        self,
        computation: Computation,
        steps: int,
        saved: Sequence[int],
        folder: Path,
        say: Callable[[str], None],
        parts: Collection[str] = PARTS,
        single: Computation | None = None,
    ) -> Recording:
        """Has all `parts` of the computation done.

        `saved` are the training steps after which weights are kept, in `folder`.

        `single` is the same with a batch of 1, of which outputs and gradients are recorded, too.
        """
        recording = Recording(self.framework, computation.precision)
        folder.mkdir(parents=True)
        worker = self._worker or WorkerProcess(WORKER, self._threads)
        self._worker = worker
        begin = partial(worker.ask, "begin", framework=self.framework, long=self._long)
        try:
            recording.version = begin(computation=asdict(computation))["version"]
            seconds = _evaluate(recording, worker, computation, folder, say, parts)
            if single is not None:
                _add_single(recording, worker, single, folder / "single", say, seconds)
            if "training" in parts and steps:
                if single is not None:
                    begin(computation=asdict(computation))
                _train(recording, worker, steps, saved, folder, say)
        except WorkerError as error:
            recording.failure = str(error)
            self.close()
        return recording

    def close(self) -> None:
        """Ends the process."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _evaluate(
    recording: Recording,
    worker: WorkerProcess,
    computation: Computation,
    folder: Path,
    say: Callable[[str], None],
    parts: Collection[str] = PARTS,
    training: bool = True,
) -> float:
    """Records outputs and gradients, and gives the seconds that these took."""
    if "outputs" in parts:
        say("outputs")
        recording.outputs = _arrays(
            recording, worker, "outputs", "outputs", folder / "outputs.npz", training=False
        )
        if training:
            file = folder / "training.npz"
            recording.training_outputs = _arrays(
                recording, worker, "training outputs", "outputs", file, training=True
            )
    began = time.perf_counter()
    if "gradients" in parts and computation.network.trainable and computation.outputs:
        say("gradients")
        recording.gradients = _arrays(
            recording, worker, "gradients", "gradients", folder / "gradients.npz"
        )
    return time.perf_counter() - began


def _add_single(
    recording: Recording,
    worker: WorkerProcess,
    computation: Computation,
    folder: Path,
    say: Callable[[str], None],
    seconds: float,
) -> None:
    """Records the batch of 1 as well, where gradients did not take long."""
    if seconds > LONG_GRADIENTS:
        note = f"a batch of 1 is left out: gradients took {seconds:.0f} s, most of them to compile"
        recording.notes.append(note)
        return
    folder.mkdir()
    recording.single = Recording(recording.framework, recording.precision)
    worker.ask("begin", framework=recording.framework, computation=asdict(computation))
    _evaluate(
        recording.single,
        worker,
        computation,
        folder,
        lambda line: say(f"{line}, batch 1"),
        training=False,
    )


def _arrays(
    recording: Recording,
    worker: WorkerProcess,
    part: str,
    command: str,
    file: Path,
    **arguments: Any,
) -> Arrays | None:
    answer = worker.ask(command, output=str(file), **arguments)
    if "refused" in answer:
        recording.refused[part] = answer["refused"]
        return None
    return read_arrays(file)


def _train(
    recording: Recording,
    worker: WorkerProcess,
    steps: int,
    saved: Sequence[int],
    folder: Path,
    say: Callable[[str], None],
) -> None:
    losses: list[float] = []
    for first in range(1, steps + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, steps)
        say(f"training steps {first} to {last} of {steps}")
        answer = worker.ask("train", first=first, last=last, saved=list(saved), folder=str(folder))
        if "refused" in answer:
            recording.refused["training"] = answer["refused"]
            return
        losses += answer["losses"]
    recording.losses, recording.weights = losses, StepFiles(folder, tuple(saved))


def steps_kept(steps: int, weight_bytes: int, room: int) -> list[int]:
    """The steps after which weights are kept: all if they fit, else first, last and fewer.

    `room` is in bytes.
    """
    if steps < 2 or steps * weight_bytes <= room:
        return list(range(1, steps + 1))
    count = max(2, room // weight_bytes)
    ratio = steps ** (1 / (count - 1))
    return sorted(
        {1, steps, *(round(ratio**power) for power in range(count))} & set(range(1, steps + 1))
    )


def teller(
    name: str, computation: Computation, say: Callable[[str], None]
) -> Callable[[str], None]:
    """Says whose each line is."""
    return lambda line: say(f"{name} {computation.precision}: {line}")
