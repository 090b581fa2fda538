"""The problems on which `concepts.py` measures: small parts of public data, few epochs, one recipe.

The recipe is bare: no augmentation, no smoothing, no decay, no average of weights, so that what is
added to it is alone.
"""

from __future__ import annotations

import csv
import functools
import gzip
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import allotrope
from allotrope.data.examples import Data

BARE = {"augmentation": "none", "label_smoothing": 0.0, "weight_decay": 0.0, "average": None}
PICTURES, ROWS, SCALED = 5_000, 6_000, 100.0
COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education_years", "marital", "occupation"),
    *("relationship", "race", "sex", "gain", "loss", "hours", "country", "income"),
)
"""Of adult, whose files have no header."""
BANDS = (28, 37, 48)
"""Ages at which the bands of `bands` end: quarters."""
EMOTIONS = "amazed-suprised,happy-pleased,relaxing-calm,quiet-still,sad-lonely,angry-aggresive"


@dataclass(frozen=True)
class ConceptProblem:
    """Data, a network of the zoo and so many epochs.

    `unit` is that of a difference: points of a metric that is a share, or what the metric is in.
    """

    title: str
    read: Callable[[Path, int], Data]
    network: str
    epochs: float
    arguments: Mapping[str, Any] = field(default_factory=dict)
    metric: str = "accuracy"
    unit: str = ""

    @property
    def factor(self) -> float:
        """By what a difference of the metric is multiplied: shares are told in points."""
        return 1.0 if self.unit else SCALED


def idx(file: Path, header: int) -> np.ndarray:
    """The bytes of an IDX file behind its header."""
    return np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=header)


def fashion(data: Path, seed: int) -> Data:
    """The first pictures of Fashion-MNIST, and its whole test data."""
    parts = {}
    for split, stem, most in (("train", "train", PICTURES), ("test", "t10k", None)):
        labels = idx(data / f"fashion-mnist/{stem}-labels-idx1-ubyte.gz", 8)
        pictures = idx(data / f"fashion-mnist/{stem}-images-idx3-ubyte.gz", 16)
        pictures = pictures.reshape(len(labels), 28, 28, 1)
        parts[split] = {"image": pictures[:most], "label": labels[:most]}
    return allotrope.read(parts, seed=seed)


def trec(data: Path, seed: int) -> Data:
    """The questions of TREC with their six classes."""
    with tempfile.TemporaryDirectory() as folder:
        for split in ("train", "test"):
            lines = gzip.decompress((data / f"trec/TREC.{split}.gz").read_bytes()).splitlines()
            rows = [line.decode("latin-1").partition(" ") for line in lines]
            rows = [(label.partition(":")[0], text) for label, _, text in rows]
            _write(Path(folder) / f"{split}.csv", ("label", "text"), rows)
        return allotrope.read(folder, target="label", seed=seed)


def adult(data: Path, seed: int, target: str = "income", **options: Any) -> Data:
    """The first rows of adult, and its whole test data."""
    with tempfile.TemporaryDirectory() as folder:
        for split, most in (("train", ROWS), ("test", None)):
            rows = _adult_rows(data / f"tables/adult-{split}.csv")[:most]
            if target == "band":
                rows = [[_band(row[0]), *row[1:]] for row in rows]
            header = [target if target == "band" else COLUMNS[0], *COLUMNS[1:]]
            _write(Path(folder) / f"{split}.csv", header, rows)
        return allotrope.read(folder, target=target, seed=seed, **options)


def emotions(data: Path, seed: int) -> Data:
    """Music by six labels: 474 rows learn, 119 test, another part for each seed."""
    with (data / "multilabel/emotions.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        for split, part in (("train", order[:474]), ("test", order[474:])):
            _write(Path(folder) / f"{split}.csv", header, [rows[place] for place in part])
        options = {"target": EMOTIONS, "metric": {"labels": "micro_f1"}}
        return allotrope.read(folder, seed=seed, **options)


def _adult_rows(file: Path) -> list[list[str]]:
    """The rows as they stand, without the dots behind the labels of the test data."""
    with file.open(newline="") as lines:
        rows = [row for row in csv.reader(lines, skipinitialspace=True) if len(row) == len(COLUMNS)]
    return [[*row[:-1], row[-1].rstrip(".")] for row in rows]


def _band(age: str) -> str:
    return str(1 + sum(int(age) > end for end in BANDS))


def _write(file: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([header, *rows])


def _small_cnn(**style: Any) -> dict[str, Any]:
    return {"channels": (8, 16), "hidden": (64,), "normalization": "batch", **style}


PROBLEMS: dict[str, ConceptProblem] = {
    "fashion": ConceptProblem("Fashion-MNIST, cnn", fashion, "cnn", 3, _small_cnn()),
    "plain": ConceptProblem(
        "Fashion-MNIST, cnn without normalization",
        fashion,
        "cnn",
        3,
        _small_cnn(normalization="none"),
    ),
    "residual": ConceptProblem("Fashion-MNIST, resnet8", fashion, "resnet8", 3, {"width": 0.25}),
    "trec": ConceptProblem("TREC, text_cnn", trec, "text_cnn", 3),
    "adult": ConceptProblem("adult: income, table_mlp", adult, "table_mlp", 3),
    "age": ConceptProblem(
        "adult: age, table_mlp",
        functools.partial(adult, target="age", task={"age": "regression"}),
        "table_mlp",
        3,
        metric="rmse",
        unit="years",
    ),
    "bands": ConceptProblem(
        "adult: age in four bands, table_mlp",
        functools.partial(
            adult,
            target="band",
            task={"band": "classification"},
            metric={"band": "quadratic_kappa"},
        ),
        "table_mlp",
        3,
        metric="quadratic_kappa",
    ),
    "emotions": ConceptProblem("emotions, table_mlp", emotions, "table_mlp", 20, metric="micro_f1"),
}
