"""Data that is larger than the memory against the same in memory: speed, peaks, same batches.

    python benchmarks/larger_than_memory.py [--gigabytes 6] [--limit 1.5GB] [--folder /tmp/larger]
    python benchmarks/larger_than_memory.py --kind tables --gigabytes 0.06 --limit 1GB --held 10MB

Makes JPEG files of 256x256, or a .csv table of numbers, categories and dates; reads them in a
process whose memory is bounded (RLIMIT_DATA, which is handed on to its workers), then trains twice
at the same time, so that whatever else the machine does disturbs both alike: once under the bound,
where the system's own cache of the decoded file is emptied again and again, as it would be on a
machine of that size; once without a bound and with all data in memory. Networks are small ones: the
less they compute, the more reading would show. With `--held` less than a quarter of the bound is
held in memory, so that a small table lies on disk as a large one does.
Speeds are those of the time in which both had their first epoch behind them and none had ended,
validations included. A core that neighbors share, or a process whose arrays lie badly, is a third
slower than another: so each has a core of its own, and in the next of `--rounds`, in new processes,
the other's; what counts is the median of the ratios. That data held in memory does not fit the
bound is shown too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from bounded_child import Child, emptied
from large_table import make_table, network_for_rows
from PIL import Image

import allotrope
from allotrope.config import Recipe, Settings, bytes_text, parse_bytes
from allotrope.data.examples import Data
from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.network.rewriting.named_after import named_after
from allotrope.progress import Progress, Tick
from allotrope.training.loop import train as trained

SIDE, CLASSES, PATCH = 256, 10, 8
AT_ONCE = 500
TABLE = "table.csv"
EPOCHS, HASHED, ROUNDS = 4.0, 100, 2
BATCH = 64
EVERYTHING = "1000GB"
"""More than any memory: whatever fits is held."""
RECIPE = {"batch_size": BATCH, "augmentation": "light", "seed": 0, "learning_rate": 0.001}


def main() -> None:
    """Make, decode, train twice, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=tuple(KINDS), default="pictures")
    parser.add_argument("--gigabytes", type=float, default=6.0)
    parser.add_argument("--limit", default="1.5GB")
    parser.add_argument("--held", default="", help="so much is held in memory, if not a quarter")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/larger-than-memory"))
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--epochs", type=float, default=EPOCHS)
    parser.add_argument("--keep", action="store_true", help="leave data and store there")
    parser.add_argument("--train-only", action="store_true", help="of what was kept there before")
    parser.add_argument("--cached", default="300MB", help="of the store, after which it is emptied")
    parser.add_argument("--hashed", type=int, default=HASHED, help="so many batches are hashed")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="an even number")
    parser.add_argument("--child", choices=("read", "train"))
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(CHILDREN[asked.child](asked)), flush=True)
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    try:
        measure(asked)
    finally:
        if not asked.keep:
            shutil.rmtree(asked.folder)


def measure(asked: argparse.Namespace) -> None:
    """All of it, a line each."""
    limit = parse_bytes(asked.limit)
    if not asked.train_only:
        prepare(asked, limit)
    compare(asked, limit)


def prepare(asked: argparse.Namespace, limit: int) -> None:
    """Make the data, and read it under the limit."""
    began = time.perf_counter()
    made = KINDS[asked.kind].make(asked.folder, int(asked.gigabytes * 1e9))
    print(f"made {made} in {time.perf_counter() - began:.0f} s", flush=True)
    refused = Child(asked, "read", limit, EVERYTHING).ended()
    print(f"held in memory under {asked.limit}: {refused.get('error', 'fits')}", flush=True)
    read = Child(asked, "read", limit, asked.held).ended()
    print(f"read under {asked.limit}: {in_words(read)}", flush=True)


def compare(asked: argparse.Namespace, limit: int) -> None:
    """Train from disk and in memory at the same time, again and again."""
    ratios = []
    for number in range(asked.rounds):
        disk, memory = one_round(asked, limit, number % 2 == 1)
        ratio, words = compared(disk, memory)
        ratios.append(ratio)
        print(f"round {number + 1}: {words}", flush=True)
        say_equal(asked, disk, memory)
    print(f"median of {len(ratios)} rounds: {np.median(ratios):.3f}x")


def one_round(
    asked: argparse.Namespace, limit: int, swapped: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a training from disk and one in memory said, each on a core that the other does not use.

    Raises: SystemExit if one failed.
    """
    first, *_, last = sorted(os.sched_getaffinity(0))
    cores = (last, first) if swapped else (first, last)
    with emptied(asked.folder / "store", parse_bytes(asked.cached)):
        children = {
            f"from disk, under {asked.limit}": Child(asked, "train", limit, asked.held, cores[0]),
            "in memory": Child(asked, "train", None, EVERYTHING, cores[1]),
        }
        results = {name: child.ended() for name, child in children.items()}
    for name, result in results.items():
        print(f"{name}: {in_words(result)}", flush=True)
    disk, memory = results.values()
    if "error" in disk or "error" in memory:
        raise SystemExit(1)
    return disk, memory


def say_equal(asked: argparse.Namespace, disk: dict[str, Any], memory: dict[str, Any]) -> None:
    """Whether both trainings learned the same from the same."""
    same = disk["losses"] == memory["losses"]
    print(f"validation losses: {'the same' if same else 'NOT the same'}", flush=True)
    if asked.hashed:
        same = disk["batches"] == memory["batches"]
        print(
            f"{asked.hashed} batches by hash: {'the same' if same else 'NOT the same'}", flush=True
        )


def compared(disk: dict[str, Any], memory: dict[str, Any]) -> tuple[float, str]:
    """The ratio of the speeds of two trainings in the time that both had after their first epoch.

    Other processes take their time by chance, but not the processor's: that is said beside.
    """
    trainings = [np.array(result["moments"]) for result in (disk, memory)]
    began = max(moments[moments[:, 2] >= 1][0, 0] for moments in trainings)
    ended = min(moments[-1, 0] for moments in trainings)
    if ended <= began:
        raise SystemExit("one training ended before the other's first epoch: take more --epochs")
    rates = []
    for moments in trainings:
        spent, made = (
            np.diff(np.interp([began, ended], moments[:, 0], moments[:, column]))[0]
            for column in (1, 3)
        )
        rates.append((made / (ended - began), 1000 * spent / made))
    (speed, cost), (speed_held, cost_held) = rates
    ratio = speed / speed_held
    return ratio, (
        f"in the {ended - began:.0f} s after both had their first epoch behind them: "
        f"{speed:.1f} examples/s from disk, {speed_held:.1f} in memory: {ratio:.3f}x; "
        f"processor {cost:.3f} ms an example, {cost_held:.3f} ms in memory: "
        f"{cost / cost_held:.3f}x"
    )


@dataclass(frozen=True)
class Kind:
    """Makes data of so many bytes in a folder, reads it, and builds a network for it."""

    make: Callable[[Path, int], str]
    read: Callable[[Path], Data]
    network: Callable[[Data], Network]


def made_pictures(folder: Path, size: int) -> str:
    """So many bytes of decoded pictures; what they are, in words."""
    count = size // (SIDE * SIDE * 3)
    make_pictures(folder / "pictures", count)
    return f"{count:,} pictures of {SIDE}x{SIDE}"


def made_table(folder: Path, size: int) -> str:
    """A table of so many bytes of text; what it is, in words."""
    rows = make_table(folder / TABLE, size)
    return f"a table of {rows:,} rows in {bytes_text((folder / TABLE).stat().st_size)}"


def network_for_pictures(data: Data) -> Network:
    """The small network with the columns' names."""
    (image,), (task,) = data.inputs, data.tasks
    return named_after(image.prepare(small_network()), [image.name], [task.name])


KINDS = {
    "pictures": Kind(
        made_pictures,
        lambda folder: allotrope.read(folder / "pictures", image_size=SIDE),
        network_for_pictures,
    ),
    "tables": Kind(
        made_table,
        lambda folder: allotrope.read(folder / TABLE, target="label"),
        network_for_rows,
    ),
}


def small_network() -> Network:
    """A convolution over patches, one over what they give, the mean of all, a dense layer."""
    rng = np.random.default_rng(0)
    build = Builder("patches")
    x = build.input("x", np.float32, ("n", 3, SIDE, SIDE))
    for channels, inner, side, step in ((16, 3, PATCH, PATCH), (32, 16, 3, 2)):
        scale = (2 / (inner * side * side)) ** 0.5
        kernel = scale * rng.normal(size=(channels, inner, side, side))
        weight = build.weight(f"conv{channels}.weight", kernel.astype(np.float32))
        bias = build.weight(f"conv{channels}.bias", np.zeros(channels, np.float32))
        x = build.add("Conv", [x, weight, bias], {"strides": [step, step]})
        x = build.add("Relu", [x])
    x = build.add("Flatten", [build.add("GlobalAveragePool", [x])])
    weight = build.weight("head.weight", 0.1 * rng.normal(size=(CLASSES, 32)).astype(np.float32))
    bias = build.weight("head.bias", np.zeros(CLASSES, np.float32))
    build.output(build.add("Gemm", [x, weight, bias], {"transB": 1}), "y")
    return build.network()


def in_words(result: dict[str, Any]) -> str:
    """What a child said, and how much memory it and its workers held."""
    sizes = {"peak": "peak of a process", "peak_of_all": "peak of all processes together"}
    said = [f"{words} {bytes_text(result[name])}" for name, words in sizes.items()]
    apart = {*sizes, "batches", "moments"}
    others = {name: value for name, value in result.items() if name not in apart}
    return "; ".join([*(f"{name} {value}" for name, value in others.items()), *said])


# --- pictures


def make_pictures(folder: Path, count: int) -> None:
    """Class folders of JPEG files, smooth with a texture that tells the class."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make_some, *zip(*parts(folder, count), strict=True)))


def parts(folder: Path, count: int) -> Iterator[tuple[Path, int, int]]:
    """Folder, first and last number, exclusive, of pictures that are made at once."""
    for label in range(CLASSES):
        (folder / f"class-{label}").mkdir(parents=True, exist_ok=True)
    for start in range(0, count, AT_ONCE):
        yield folder, start, min(start + AT_ONCE, count)


def make_some(folder: Path, start: int, stop: int) -> None:
    """These pictures, if they are not there."""
    rng = np.random.default_rng(start)
    waves = [Image.fromarray(wave_of(label)) for label in range(CLASSES)]
    for number in range(start, stop):
        label = number % CLASSES
        path = folder / f"class-{label}" / f"{number:07}.jpg"
        coarse = rng.integers(0, 256, (6, 6, 3), np.uint8)
        if not path.exists():
            smooth = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            Image.blend(smooth, waves[label], 0.3).save(path, quality=80)


def wave_of(label: int) -> np.ndarray:
    """Stripes uint8 [h, w, 3] whose direction tells the class."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    angle = np.pi * label / CLASSES
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) / 3)
    return np.repeat((127 + 127 * wave).astype(np.uint8)[..., None], 3, axis=2)


# --- what runs in a process of its own


def read(asked: argparse.Namespace) -> dict[str, Any]:
    """Read the data, as a training begins."""
    began = time.perf_counter()
    data = KINDS[asked.kind].read(asked.folder)
    column = data.train[data.inputs[0].name]
    return {
        "training examples": len(column),
        "seconds": round(time.perf_counter() - began),
        "held as": type(column).__name__,
    }


class Moments(Progress):
    """When a training had learned from how many examples, and the processor's time until then."""

    def __init__(self, examples: int) -> None:
        self.examples = examples
        self.moments: list[list[float]] = []

    def step(self, tick: Tick) -> None:
        """Some steps of training were done."""
        now = time.monotonic(), time.process_time()
        self.moments.append([*now, tick.epoch, tick.epoch * self.examples])


def train(asked: argparse.Namespace) -> dict[str, Any]:
    """Hash the batches of an epoch, then train."""
    batches = hash_of_batches(asked) if asked.hashed else ""
    kind = KINDS[asked.kind]
    data = kind.read(asked.folder)
    network = kind.network(data)
    recipe, settings = Recipe(epochs=asked.epochs, **RECIPE), Settings(threads=1)
    show = Moments(len(data.train))
    result = trained(network, data, recipe, settings, asked.framework, progress=show)
    return {
        "batches": batches,
        "moments": show.moments,
        "examples a second of the steps": round(result.examples_per_second, 1),
        "losses": [row["validation_loss"] for row in result.history],
        "seconds": round(result.seconds),
    }


def hash_of_batches(asked: argparse.Namespace) -> str:
    """A hash over all that a training is given in its first steps."""
    from allotrope.data import Batches

    data = KINDS[asked.kind].read(asked.folder)
    state = hashlib.blake2b(digest_size=16)
    for batch in islice(Batches(data, Recipe(**RECIPE)).epoch(0), asked.hashed):
        for columns in (batch.inputs, batch.targets):
            for name in sorted(columns):
                state.update(np.ascontiguousarray(columns[name]).data)
    return state.hexdigest()


CHILDREN = {"read": read, "train": train}

if __name__ == "__main__":
    main()
