"""Several processes against one: how far their losses are apart, and how a killed one ends them.

    python benchmarks/processes.py [--frameworks pytorch,jax] [--processes 2,3] [--steps 100]
    python benchmarks/processes.py --kills [--framework pytorch]

The first trains the same network on the same batches in one process and in several, in float64 with
BatchNormalization and dropout, by each framework's own engine. The second kills or freezes one of
two workers of `allotrope fit` in the middle, resumes the run in 1, 2 and 3 processes, and says when
all had ended and what the resumed runs have in common with one that nobody killed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from allotrope.config import DataOptions, Recipe, Settings
from allotrope.data import read_data
from allotrope.data.batches import Batches
from allotrope.data.examples import Data
from allotrope.frameworks import TOGETHER
from allotrope.frameworks.contract import Batch
from allotrope.frameworks.widening import widened
from allotrope.network import zoo
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.network.rewriting.named_after import named_after
from allotrope.process.group import ProcessGroup
from allotrope.run import read_record
from allotrope.training.checkpoints import BEST, LAST, read
from allotrope.training.processes.asked_training import AskedTraining
from allotrope.training.processes.group_trainer import GroupTrainer
from allotrope.training.processes.version_card import version_card
from allotrope.training.schedules import learning_rate
from allotrope.verbs.processes_asked import WORKER

RECIPE = Recipe(
    learning_rate=0.1, batch_size=128, augmentation="light", average=0.99, clip_norm=5.0
)


def network() -> Network:
    options = {"channels": (8, 16), "hidden": (32,), "normalization": "batch", "dropout": 0.3}
    inner = zoo.cnn(10, (1, 8, 8), **options)
    return widened(named_after(with_preprocessing(inner, [80.0], [90.0]), ["image"], ["label"]))


def batches(data: Data, steps: int) -> Iterator[Batch]:
    """Those of a training, with targets in float64."""
    source = Batches(data, RECIPE)
    for step in range(steps):
        batch = source.batch(*divmod(step, source.steps_per_epoch))
        wide = {name: target.astype(np.float64) for name, target in batch.targets.items()}
        yield Batch(batch.inputs, wide)


def losses(asked: AskedTraining, group: ProcessGroup | None, steps: int) -> tuple[list, dict]:
    """The loss of each step, and the weights behind the last."""
    if group is None:
        trainer = AskedTraining.of(*asked.message()).trainer()
    else:
        trainer = GroupTrainer(group, asked)
    made = []
    for step, batch in enumerate(batches(asked.data, steps)):
        rate = learning_rate(RECIPE, (step + 0.5) / steps)
        made.append(trainer.step(batch, rate, step + 1))
    return [float(loss) for loss in made], trainer.weights()


def compare(frameworks: Sequence[str], counts: Sequence[int], steps: int) -> None:
    data = read_data("digits", DataOptions())
    print("| framework | processes | losses apart by | weights apart by | first and last loss |")
    print("| --- | --- | --- | --- | --- |")
    for name in frameworks:
        asked = AskedTraining(network(), data, RECIPE, Settings(threads=1), name)
        alone, weights = losses(asked, None, steps)
        for count in counts:
            with ProcessGroup(WORKER, count, version_card(), threads=1) as group:
                together, others = losses(asked, group, steps)
            apart = max(abs(a - b) for a, b in zip(alone, together, strict=True))
            moved = max(abs(weights[key] - others[key]).max() for key in weights)
            ends = f"{together[0]:.6f}, {together[-1]:.6f}"
            print(f"| {name} | {count} | {apart:.1e} | {moved:.1e} | {ends} |", flush=True)


# --- kills

FIT = ("fit", "digits", "--network", "mlp", "--epochs", "40", "--threads", "1", "--seed", "1")
FIXED = ("--precision", "float32", "--memory-layout", "default", "--no-saliency", "--quiet")


def allotrope(*words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "allotrope.cli", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def worker_of(leader: int, rank: int) -> int:
    """The process that computes for a rank, among the children of the one that leads."""
    for child in Path(f"/proc/{leader}/task/{leader}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        if WORKER in words and words[words.index(WORKER) + 1] == str(rank):
            return int(child)
    raise LookupError(f"rank {rank} is not there")


def begun(out: Path, framework: str) -> tuple[subprocess.Popen, Path]:
    """A run in two processes that has a checkpoint."""
    words = (*FIT, *FIXED, "--framework", framework, "--processes", "2", "--out", str(out))
    process = allotrope(*words)
    checkpoint = out / "digits-1" / "checkpoints" / LAST
    while not checkpoint.exists():
        time.sleep(0.1)
        if process.poll() is not None:
            sys.exit(process.stderr.read())
    return process, out / "digits-1"


def killed(out: Path, framework: str, how: signal.Signals) -> tuple[str, str, Path]:
    """When it was said and when all had ended, what was said, and the run."""
    process, run = begun(out, framework)
    victim = worker_of(process.pid, 1)
    began = time.monotonic()
    os.kill(victim, how)
    said = ""
    while "rank 1" not in said:
        said = process.stderr.readline()
    named = time.monotonic() - began
    process.communicate()
    ended = time.monotonic() - began
    return f"named after {named:.1f} s, all ended after {ended:.1f} s", said.strip(), run


def end_of(run: Path) -> tuple[list[str], dict]:
    """The history and the best weights of a finished run."""
    rows = (run / "history.csv").read_text().splitlines()
    # Without the columns of the clock.
    losses = [",".join(row.split(",")[3:7]) for row in rows]
    return losses, read(run / "checkpoints" / BEST).arrays


def _apart(rows: list[str], others: list[str], step: int) -> str:
    """How far two histories are apart, of the epoch after a step and of the last."""

    def loss(row: str) -> float:
        return float(row.split(",")[1])

    first = min(step // 19 + 1, len(rows) - 1)  # 19 steps make an epoch of the digits
    pairs = [(loss(rows[place]), loss(others[place])) for place in (first, -1)]
    after, last = (abs(a - b) / a for a, b in pairs)
    return f"loss of the next epoch apart by {after:.1e}, of the last by {last:.1e} of it"


def kills(framework: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        process = allotrope(
            *(*FIT, *FIXED, "--framework", framework, "--processes", "2", "--out", str(whole))
        )
        process.communicate()
        rows, weights = end_of(whole / "digits-1")
        for how in (signal.SIGKILL, signal.SIGSTOP):
            times, said, _ = killed(Path(folder) / how.name, framework, how)
            print(f"{how.name}: {times}: {said}", flush=True)
        for count in (1, 2, 3):
            _, _, run = killed(Path(folder) / f"resumed-{count}", framework, signal.SIGKILL)
            before = read(run / "checkpoints" / LAST).record["state"]["step"]
            words = ("fit", "--resume", str(run), "--processes", str(count), "--quiet")
            _, said = allotrope(*words).communicate()
            status = read_record(run)["status"]
            again, others = end_of(run)
            same = again == rows and all(np.array_equal(weights[k], others[k]) for k in weights)
            # In float32 a difference in the last bit grows with every step.
            apart = _apart(rows, again, before)
            print(
                f"killed behind step {before}, resumed in {count}: {status}; as the run of two "
                f"that nobody killed: {'to the bit' if same else apart}"
                f"{said.strip()[-300:]}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frameworks", default=",".join(TOGETHER))
    parser.add_argument("--processes", default="2,3")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--kills", action="store_true")
    parser.add_argument("--framework", default="pytorch")
    asked = parser.parse_args()
    if asked.kills:
        kills(asked.framework)
    else:
        counts = [int(count) for count in asked.processes.split(",")]
        compare(asked.frameworks.split(","), counts, asked.steps)


if __name__ == "__main__":
    main()
