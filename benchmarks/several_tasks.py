"""One network with three tasks against a network for each: how good, how fast.

    python benchmarks/several_tasks.py ../shared/data/fashion-mnist [--examples 6000]
        [--epochs 8] [--seeds 3]

An example is a garment of Fashion-MNIST, turned by up to 40 degrees, whose lower third is covered,
and 21 numbers: the mean brightness of patches of what is covered. It has a class, the angle by
which it was turned, and four labels of yes or no. A third of the labels of each task are missing in
training, at random. Every network has the same trunks and recipe, and as many steps. Latency is
ONNX Runtime's, of one example on one thread, rounds interleaved. Exit code 1 if the joint network
is worse than the bar: 0.5 points, 2 % of RMSE, 60 % of the latency of all others together.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data.examples import Data, Examples
from allotrope.delivery.finished import finished
from allotrope.inputs.image.image import Image
from allotrope.inputs.table import Table
from allotrope.runtimes import runtime
from allotrope.tasks import Classification, MultiLabel, Regression, Task
from allotrope.tasks.several import trained_by
from allotrope.training.evaluate import in_batches
from allotrope.training.loop import train

CLASSES = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot",
)  # fmt: skip
LABELS = {"on top": (0, 2, 3, 4, 6), "shoe": (5, 7, 9), "long sleeves": (2, 4, 6)}
COVERED, TURNED, BRIGHT, MISSING = 19, 40.0, 40.0, 1 / 3
LARGEST_DROP, LARGEST_ERROR, LARGEST_SHARE = 0.5, 2.0, 0.6
ROUNDS, RUNS = 15, 200

TASKS: tuple[Task, ...] = (
    Classification(name="garment", classes=CLASSES),
    Regression(name="angle", unit="degrees"),
    MultiLabel(name="labels", labels=(*LABELS, "bright")),
)


def pictures(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 [n, 28, 28] and classes [n] of a part, `train` or `t10k`."""
    pixels = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    classes = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer(classes, np.uint8, offset=8).astype(np.int64)


def examples(images: np.ndarray, classes: np.ndarray, seed: int, gaps: bool) -> Examples:
    """Turned and covered pictures with their numbers and labels."""
    random = np.random.default_rng(seed)
    angles = random.uniform(-TURNED, TURNED, len(images))
    turned = np.stack(
        [
            np.asarray(Pillow.fromarray(image).rotate(angle, Pillow.Resampling.BILINEAR))
            for image, angle in zip(images, angles, strict=True)
        ]
    )
    below = turned[:, COVERED:].astype(np.float32)
    numbers = below.reshape(-1, 3, 3, 7, 4).mean((2, 4)).reshape(len(images), -1)
    turned[:, COVERED:] = 0
    flags = [np.isin(classes, members) for members in LABELS.values()]
    labels = np.stack([*flags, numbers.mean(1) > BRIGHT], 1).astype(np.int8)
    if gaps:
        lacking = random.random((3, len(images))) < MISSING
        classes = np.where(lacking[0], -1, classes)
        angles = np.where(lacking[1], np.nan, angles)
        labels = np.where(lacking[2][:, None], -1, labels).astype(np.int8)
    columns = {"picture": turned[..., None], "numbers": numbers}
    return Examples({**columns, "garment": classes, "angle": angles, "labels": labels})


def splits(folder: Path, count: int, seed: int) -> dict[str, Examples]:
    """`count` examples to learn from, 2,000 to choose by and 5,000 to judge by."""
    images, classes = pictures(folder, "train")
    rows = np.random.default_rng(seed).permutation(len(images))
    learned, chosen = rows[:count], rows[-2000:]
    judged, truth = pictures(folder, "t10k")
    return {
        "train": examples(images[learned], classes[learned], seed, gaps=True),
        "validation": examples(images[chosen], classes[chosen], seed + 100, gaps=False),
        "test": examples(judged[:5000], truth[:5000], 200, gaps=False),
    }


def trained(
    parts: dict[str, Examples], tasks: tuple[Task, ...], epochs: float, seed: int, file: Path
):
    """The metric of each task on test data, and the seconds of training; the delivered file."""
    train_part = parts["train"]
    picture = Image.of("picture", train_part["picture"]).fitted(train_part["picture"])
    columns = tuple(f"patch {number}" for number in range(train_part["numbers"].shape[1]))
    numbers = Table(name="numbers", columns=columns).fitted(train_part["numbers"])
    data = Data("garments", (picture, numbers), tasks, parts)
    choice = choose(data, epochs=epochs, seed=seed)
    began = time.perf_counter()
    result = train(choice.network, data, choice.recipe, Settings(threads=1))
    seconds = time.perf_counter() - began
    known = trained_by(tasks, choice.recipe, train_part.columns)
    outputs = in_batches(lambda x: result.network.run(x, "pytorch"), data.taken("validation"))
    known = tuple(
        task.settled(outputs[task.name], parts["validation"][task.name]) for task in known
    )
    finished(result.network, data.inputs, known).save(file)
    session = runtime("onnxruntime").open(file, "float32", 1)
    answers = in_batches(session.run, data.taken("test"))
    return {t.name: t.answered(answers[t.name], parts["test"][t.name]) for t in known}, seconds


def latencies(files: list[Path], parts: dict[str, Examples]) -> list[float]:
    """Median milliseconds of one example in each file, the rounds of all interleaved."""
    sessions = [runtime("onnxruntime").open(file, "float32", 1) for file in files]
    one = {name: parts["test"][name][:1] for name in ("picture", "numbers")}
    times: list[list[float]] = [[] for _ in files]
    for _ in range(ROUNDS):
        for session, own in zip(sessions, times, strict=True):
            session.run(one)
            began = time.perf_counter()
            for _ in range(RUNS):
                session.run(one)
            own.append(1e3 * (time.perf_counter() - began) / RUNS)
    return [statistics.median(own) for own in times]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--examples", type=int, default=6000)
    parser.add_argument("--epochs", type=float, default=8.0)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    rows: dict[str, list[tuple[float, float]]] = {task.name: [] for task in TASKS}
    shares = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(asked.seeds):
            parts = splits(asked.folder, asked.examples, seed)
            files = [Path(scratch) / f"{name}.onnx" for name in ("joint", *rows)]
            joint, seconds = trained(parts, TASKS, asked.epochs, seed, files[0])
            spent = [seconds]
            for task, file in zip(TASKS, files[1:], strict=True):
                own, seconds = trained(parts, (task,), asked.epochs, seed, file)
                rows[task.name].append((joint[task.name], own[task.name]))
                spent.append(seconds)
            together, *apart = latencies(files, parts)
            shares.append(together / sum(apart))
            listed = ", ".join(f"{value:.0f}" for value in spent)
            print(f"seed {seed}: trained {listed} s; {together:.3f} ms against {sum(apart):.3f} ms")
    return report(rows, shares)


def report(rows: dict[str, list[tuple[float, float]]], shares: list[float]) -> int:
    """The table; 1 if a mean is beyond the bar."""
    failed = statistics.mean(shares) > LARGEST_SHARE
    for task in TASKS:
        pairs, metric = rows[task.name], task.metric
        joint, own = (statistics.mean(values) for values in zip(*pairs, strict=True))
        drops = [metric.drop(alone, together) for together, alone in pairs]
        drop = statistics.mean(drops)
        failed |= drop > (LARGEST_ERROR if metric.relative else LARGEST_DROP)
        print(
            f"{task.name:8} {metric.title:9} one network {metric.text(joint)}, its own "
            f"{metric.text(own)}: {-drop:+.2f} {'%' if metric.relative else 'points'} "
            f"(seeds {', '.join(f'{-each:+.2f}' for each in drops)}; + is better)"
        )
    listed = ", ".join(f"{share:.1%}" for share in shares)
    print(f"latency of the one network: {statistics.mean(shares):.1%} of the three's ({listed})")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
