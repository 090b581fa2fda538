"""What `fit` learns from tables, beside scikit-learn's boosted trees on the same rows.

    python benchmarks/tables.py ../shared/data [--only california] [--seeds 3] [--budget 3m]

Reads adult (its own test split), California housing (80/20 splits) and emotions (474/119 rows,
several labels) and writes for each seed the metric of the network, of boosted trees as candidates
of the same run, of the file that was delivered, and of HistGradientBoosting with its defaults on
all training rows.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import allotrope
from allotrope.measure.choice import TOGETHER, TREES

EMOTIONS = "amazed-suprised,happy-pleased,relaxing-calm,quiet-still,sad-lonely,angry-aggresive"


@dataclass(frozen=True)
class Split:
    """A folder with train.csv and test.csv, and what to ask of it."""

    folder: Path
    options: dict[str, Any]
    figure: str


def written(folder: Path, name: str, header: list[str], rows: list[list[str]]) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def parted(source: Path, folder: Path, seed: int, train: int | None) -> None:
    """The splits of the data's README: the first of a permutation learn, the others test."""
    with source.open(newline="") as file:
        header, *rows = csv.reader(file)
    order = np.random.default_rng(seed).permutation(len(rows))
    first = int(0.8 * len(rows)) if train is None else train
    written(folder, "train", header, [rows[row] for row in order[:first]])
    written(folder, "test", header, [rows[row] for row in order[first:]])


def california(data: Path, scratch: Path, seed: int) -> Split:
    folder = scratch / f"california-{seed}"
    parted(data / "tables/california-housing.csv", folder, seed, None)
    return Split(folder, {"target": "median_house_value"}, "rmse")


def adult(data: Path, scratch: Path, seed: int) -> Split:
    folder = scratch / f"adult-{seed}"
    folder.mkdir()
    for name in ("adult-train.csv", "adult-test.csv"):
        (folder / name).write_bytes((data / "tables" / name).read_bytes())
    return Split(folder, {"target": "col15"}, "accuracy")


def emotions(data: Path, scratch: Path, seed: int) -> Split:
    folder = scratch / f"emotions-{seed}"
    parted(data / "multilabel/emotions.csv", folder, seed, 474)
    options = {"target": EMOTIONS, "metric": {"labels": "micro_f1"}}
    return Split(folder, options, "micro_f1")


SETS = {"california": california, "adult": adult, "emotions": emotions}


def with_defaults(split: Split) -> str:
    """HistGradientBoosting on all training rows, in a metric of its own; no labels of several."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    data = allotrope.read(split.folder, target=split.options["target"])
    (table,), (task, *_) = data.inputs, data.tasks
    parts = [data.train, data.validation]
    x = np.concatenate([part[table.name] for part in parts])
    labels = np.concatenate([part[task.name] for part in parts])
    if task.kind == "multilabel":
        return "-"
    makers = {
        "regression": HistGradientBoostingRegressor,
        "classification": HistGradientBoostingClassifier,
    }
    model = makers[task.kind](random_state=0, categorical_features=list(table.coded)).fit(x, labels)
    guess, truth = model.predict(data.test[table.name]), data.test[task.name]
    if task.kind == "regression":
        return f"{np.sqrt(np.mean((guess - truth) ** 2)):,.0f}"
    return f"{np.mean(guess == truth):.4f}"


def measured(name: str, split: Split, seed: int, options: dict[str, Any]) -> Iterator[str]:
    """The cells of a row."""
    began, used = time.perf_counter(), time.process_time()
    run = allotrope.fit(split.folder, **split.options, **options, seed=seed, quiet=True)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    test = run.json["test"]
    own = next(iter(test.values())) if split.figure not in test else test
    yield f"{name} {seed}"
    yield " ".join(f"{own[key]:.6g}" for key in (split.figure, "auc") if key in own)
    for form in (TREES, TOGETHER):
        rows = [row for row in run.json["candidates"] if row["form"] == form]
        yield " ".join(f"{row.get('test_accuracy', row.get('test_metric')):.6g}" for row in rows)
    best = run.json["delivered"] or {"form": "nothing"}
    figure = best.get("test_accuracy", best.get("test_metric", float("nan")))
    yield f"{best['form'] or 'network'} {best.get('precision', '')} {figure:.6g}"
    yield with_defaults(split)
    yield f"{run.json['training']['seconds']:.0f} of {seconds:.0f} ({used:.0f} of processor)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=SETS, action="append")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--threads", type=int, default=None)
    asked = parser.parse_args()
    print("| data, seed | network | trees | their mean | delivered | defaults | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        options = {"budget": asked.budget, "threads": asked.threads, "out": scratch}
        for name in asked.only or SETS:
            for seed in range(asked.first, asked.first + asked.seeds):
                split = SETS[name](asked.data, Path(scratch), seed)
                cells = measured(name, split, seed, options)
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
