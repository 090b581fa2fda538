"""What unlabelled examples gain: each method beside labels alone, with the same time.

    python benchmarks/few_labels.py digits sst2 cifar-2500 cifar-250 [--data ../shared/data]
        [--draws 5] [--budget 15m | --epochs 20] [--methods labels self-training] [--pool 50000]
        [--first 0] [--threads 2] [--precision float32] [--out runs]

`digits`: 10 labels of each class of the 1,438 of scikit-learn that are not for the test. `sst2`:
200 of the 6,920 training sentences of SST-2 have their labels. `cifar-2500` and `cifar-250`: 250 or
25 of each class of CIFAR-10. All are drawn anew for each draw, the rest of the `pool` has none; a
tenth of the labels is held out. Printed is the accuracy on the whole test split of what `fit`
delivers in float32, the gain in points over labels alone with the same budget, what held-out labels
said, and the seconds that `fit` took. Only one file is measured, since it is about accuracy.
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Settings
from allotrope.data import read_data
from allotrope.measure.candidates import Candidate
from allotrope.measure.network_files import FLOAT_FILE
from allotrope.progress import Progress
from allotrope.verbs.fit import fit, fit_among
from allotrope.verbs.pipeline import Among
from allotrope.verbs.request import defaults

LABELS = {"digits": 100, "sst2": 200, "cifar-2500": 2500, "cifar-250": 250}
Splits = dict[str, dict[str, Any]]


def digits(data: Path) -> Splits:
    """The built-in pictures, by the usual split."""
    whole = read_data("digits")
    first, second = whole.train.columns, whole.validation.columns
    train = {name: np.concatenate([first[name], second[name]]) for name in first}
    return {"train": train, "test": dict(whole.test.columns)}


def sst2(data: Path) -> Splits:
    """The sentences, with 0 and 1."""

    def read(split: str) -> dict[str, Any]:
        packed = (data / f"sst2/stsa.binary.{split}.gz").read_bytes()
        lines = [line.split(" ", 1) for line in gzip.decompress(packed).decode().splitlines()]
        labels = np.array([int(label) for label, _ in lines])
        return {"text": np.array([words for _, words in lines]), "label": labels}

    return {"train": read("train"), "test": read("test")}


def cifar(data: Path) -> Splits:
    """The pictures, with the numbers of their classes."""
    arrays = np.load(data / "cifar10.npz")
    return {
        split: {"image": arrays[f"x_{split}"], "label": arrays[f"y_{split}"].astype(int)}
        for split in ("train", "test")
    }


def with_few_labels(splits: Splits, labels: int, pool: int, draw: int) -> Splits:
    """So many labels, as many of each class, and of the other examples none."""
    rng = np.random.default_rng(draw)
    rows = rng.permutation(len(splits["train"]["label"]))[:pool]
    train = {name: column[rows] for name, column in splits["train"].items()}
    known = train["label"]
    classes = np.unique(known)
    own = [np.flatnonzero(known == label)[: labels // len(classes)] for label in classes]
    chosen = np.concatenate(own)
    label = np.full(len(known), np.nan)
    label[chosen] = known[chosen]
    return {"train": {**train, "label": label}, "test": splits["test"]}


def one_file(folder: Path) -> list[Candidate]:
    """The only candidate: what is compared are the networks that were trained."""
    return [Candidate("onnxruntime", "float32", folder / FLOAT_FILE)]


def measured(splits: Splits, method: str, draw: int, asked: argparse.Namespace) -> dict[str, Any]:
    """A run: its test accuracy, how long it took, and what held-out labels said."""
    arguments = {
        **defaults(fit),
        "data": splits,
        "method": method,
        "seed": draw,
        "budget": asked.budget,
        "epochs": asked.epochs,
        "threads": asked.threads,
        "out": asked.out,
        "task": {"label": "classification"},
        "saliency": False,
        "quiet": True,
    }
    settings = Settings(precision=asked.precision, threads=asked.threads)
    among = Among(settings=[settings], candidates=one_file)
    began = time.monotonic()
    record = fit_among(arguments, among, Progress()).json
    return {
        "accuracy": record["test"]["accuracy"],
        "seconds": time.monotonic() - began,
        "verdict": record["few_labels"]["verdict"],
    }


def compared(name: str, asked: argparse.Namespace) -> None:
    """The rows of a data set, and of each method the mean gain."""
    splits = {"digits": digits, "sst2": sst2}.get(name, cifar)(asked.data)
    gains: dict[str, list[float]] = {}
    # The first training of a process waits for all that is loaded then: one that does not count.
    first = with_few_labels(splits, LABELS[name], 2 * LABELS[name], 0)
    measured(first, "labels", 0, argparse.Namespace(**{**vars(asked), "budget": "2s"}))
    for draw in range(asked.first, asked.first + asked.draws):
        drawn = with_few_labels(splits, LABELS[name], asked.pool, draw)
        rows = {method: measured(drawn, method, draw, asked) for method in asked.methods}
        for method, row in rows.items():
            gain = 100 * (row["accuracy"] - rows[asked.methods[0]]["accuracy"])
            gains.setdefault(method, []).append(gain)
            figures = f"{row['accuracy']:.2%} | {gain:+.2f} | {row['seconds']:.0f} s"
            print(f"{name} draw {draw} | {method} | {figures} | {row['verdict']}", flush=True)
    for method, points in gains.items():
        spread = f"{np.mean(points):+.2f} (worst {min(points):+.2f}, best {max(points):+.2f})"
        print(f"{name} | {method} | {asked.draws} draws | {spread}", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=LABELS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--budget", default=None)
    parser.add_argument("--epochs", type=float, default=None)
    parser.add_argument("--methods", nargs="+", default=["labels", "self-training"])
    parser.add_argument("--pool", type=int, default=50_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    asked = parser.parse_args(words)
    for name in asked.names:
        compared(name, asked)


if __name__ == "__main__":
    main()
