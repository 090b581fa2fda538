"""What `fit` learns from tables, beside scikit-learn's boosted trees on the same rows.

    python benchmarks/tables.py ../shared/data [--only california] [--seeds 3] [--budget 3m]

Reads adult (its own test split), California housing (80/20 splits) and emotions (474/119 rows,
several labels) and writes for each seed the metric on test data, of two classes the area under the
curve beside it: of the network, of boosted trees and of their mean as candidates of the same run,
of the file that was delivered, and of HistGradientBoosting with its defaults on all training rows.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Mapping, Sequence
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


COLUMNS = ("network", "trees", "their mean", "delivered", "defaults")


@dataclass(frozen=True)
class Row:
    """What one fit gave: figures on test data of each of COLUMNS, what was delivered, seconds."""

    title: str
    figures: dict[str, dict[str, float]]
    form: str
    seconds: str

    @property
    def text(self) -> str:
        """The row of the table."""
        cells = [said(self.figures[column]) for column in COLUMNS]
        return f"| {' | '.join([self.title, *cells, self.form, self.seconds])} |"


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
    return Split(folder, {"target": "median_house_value"})


def adult(data: Path, scratch: Path, seed: int) -> Split:
    folder = scratch / f"adult-{seed}"
    folder.mkdir()
    for name in ("adult-train.csv", "adult-test.csv"):
        (folder / name).write_bytes((data / "tables" / name).read_bytes())
    return Split(folder, {"target": "col15"})


def emotions(data: Path, scratch: Path, seed: int) -> Split:
    folder = scratch / f"emotions-{seed}"
    parted(data / "multilabel/emotions.csv", folder, seed, 474)
    options = {"target": EMOTIONS, "metric": {"labels": "micro_f1"}}
    return Split(folder, options)


SETS = {"california": california, "adult": adult, "emotions": emotions}


def with_defaults(split: Split) -> dict[str, float]:
    """HistGradientBoosting on all training rows, by its own metrics; nothing of several labels."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.metrics import roc_auc_score

    data = allotrope.read(split.folder, target=split.options["target"])
    (table,), (task, *_) = data.inputs, data.tasks
    parts = [data.train, data.validation]
    x = np.concatenate([part[table.name] for part in parts])
    labels = np.concatenate([part[task.name] for part in parts])
    if task.kind == "multilabel":
        return {}
    makers = {
        "regression": HistGradientBoostingRegressor,
        "classification": HistGradientBoostingClassifier,
    }
    model = makers[task.kind](random_state=0, categorical_features=list(table.coded)).fit(x, labels)
    new, truth = data.test[table.name], data.test[task.name]
    if task.kind == "regression":
        return {"metric": float(np.sqrt(np.mean((model.predict(new) - truth) ** 2)))}
    area = roc_auc_score(truth, model.predict_proba(new)[:, 1])
    return {"metric": float(np.mean(model.predict(new) == truth)), "auc": float(area)}


def figures(row: Mapping[str, Any]) -> dict[str, float]:
    """The metric of a candidate on test data, and the area under the curve if there is one."""
    metric = row.get("test_accuracy", row.get("test_metric", float("nan")))
    return {"metric": metric, **({"auc": row["test_auc"]} if "test_auc" in row else {})}


def said(form: Mapping[str, float]) -> str:
    """A cell: an error in units, fractions with five digits."""
    return " ".join(
        f"{value:,.0f}" if abs(value) > 1 else f"{value:.5f}" for value in form.values()
    )


def measured(name: str, split: Split, seed: int, options: dict[str, Any]) -> Row:
    """What one fit gave."""
    began, used = time.perf_counter(), time.process_time()
    run = allotrope.fit(split.folder, **split.options, **options, seed=seed, quiet=True)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    best = run.json["delivered"] or {"form": "nothing"}
    by_form = {row["form"]: row for row in run.json["candidates"]}
    (network,) = [row for row in run.json["candidates"] if row["baseline"]]
    trained = run.json["training"]["seconds"]
    return Row(
        f"{name} {seed}",
        {
            "network": figures(network),
            "trees": figures(by_form[TREES]),
            "their mean": figures(by_form[TOGETHER]),
            "delivered": figures(best),
            "defaults": with_defaults(split),
        },
        f"{best['form'] or 'network'} {best.get('precision', '')}",
        f"{trained:.0f} of {seconds:.0f} ({used:.0f} of processor)",
    )


def summed_up(name: str, rows: Sequence[Row]) -> str:
    """The mean over seeds, and of errors the mean ratio to the defaults."""
    cells = []
    for column in COLUMNS:
        forms = [row.figures[column] for row in rows]
        means = {key: float(np.mean([form[key] for form in forms])) for key in forms[0]}
        cell = said(means)
        defaults = [row.figures["defaults"].get("metric") for row in rows]
        if means and defaults[0] is not None and means["metric"] > 1:
            ratios = [form["metric"] / one for form, one in zip(forms, defaults, strict=True)]
            cell += f" (x {np.mean(ratios):.3f})"
        cells.append(cell)
    return f"| **{name}, mean of {len(rows)}** | {' | '.join(cells)} | | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=SETS, action="append")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--threads", type=int, default=None)
    asked = parser.parse_args()
    print(f"| data, seed | {' | '.join(COLUMNS)} | form | seconds |")
    print(f"| --- |{' --- |' * len(COLUMNS)} --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        options = {"budget": asked.budget, "threads": asked.threads, "out": scratch}
        for name in asked.only or SETS:
            rows: list[Row] = []
            for seed in range(asked.first, asked.first + asked.seeds):
                split = SETS[name](asked.data, Path(scratch), seed)
                rows.append(measured(name, split, seed, options))
                print(rows[-1].text, flush=True)
            print(summed_up(name, rows), flush=True)


if __name__ == "__main__":
    main()
