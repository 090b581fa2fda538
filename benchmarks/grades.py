"""Whether the loss for ordered classes helps: houses graded 1 to 5 by their price.

    python benchmarks/grades.py --data ../shared/data/tables/california-housing.csv
        [--losses cross-entropy ordinal] [--seeds 3] [--epochs 10]

Grades are fifths of the median house value. Quadratic kappa decides, on validation data, which
epoch's weights are judged.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

import allotrope
from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.frameworks import framework as find_framework
from allotrope.training.evaluate import in_batches
from allotrope.training.loop import train

PRICE, GRADES = "median_house_value", 5
FIGURES = ("quadratic kappa", "accuracy", "mean grades off")


def main() -> None:
    """Print a row for each loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--losses", nargs="+", default=["cross-entropy", "ordinal"])
    parser.add_argument("--price", default=PRICE, help="the column that grades are made of")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--framework", default="pytorch")
    asked = parser.parse_args()
    columns = graded(asked.data, asked.price)
    for loss in asked.losses:
        rows = np.array([reached(columns, loss, seed, asked) for seed in range(asked.seeds)])
        means = zip(FIGURES, rows.T, strict=True)
        figures = "; ".join(f"{name} {in_words(values)}" for name, values in means)
        print(f"{loss}: {figures}", flush=True)


def graded(file: Path, price: str) -> dict[str, np.ndarray]:
    """The numbers of the table by column, with `grade` in the place of the price."""
    with file.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    cells = zip(*rows, strict=True)
    columns = {name: column(own) for name, own in zip(header, cells, strict=True)}
    prices = columns.pop(price)
    bounds = np.quantile(prices, np.arange(1, GRADES) / GRADES)
    return {**columns, "grade": 1 + np.searchsorted(bounds, prices)}


def column(cells: Sequence[str]) -> np.ndarray:
    """Numbers, missing ones as NaN; or texts, if one is no number."""
    try:
        return np.array([float(cell or "nan") for cell in cells])
    except ValueError:
        return np.array(cells)


def reached(
    columns: dict[str, np.ndarray], loss: str, seed: int, asked: argparse.Namespace
) -> tuple[float, ...]:
    """The figures on test data, after a training of its own."""
    metric = {"grade": "quadratic_kappa"}
    data = allotrope.read(columns, target="grade", metric=metric, seed=seed)
    choice = choose(data, "auto", {"loss": loss}, epochs=asked.epochs, seed=seed)
    trained = train(choice.network, data, choice.recipe, Settings(threads=1), asked.framework)
    answer = partial(find_framework(asked.framework).run, trained.network)
    (task,) = data.tasks
    output = in_batches(answer, data.taken("test"), data.inputs)[task.name]
    labels = data.test[task.name]
    scores = task.scores(output, labels)
    off = float(np.abs(output.argmax(axis=1) - labels).mean())
    return scores["quadratic_kappa"], scores["accuracy"], off


def in_words(values: np.ndarray) -> str:
    """Each value, and their mean."""
    return f"{', '.join(f'{value:.4f}' for value in values)} (mean {values.mean():.4f})"


if __name__ == "__main__":
    main()
