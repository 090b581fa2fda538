"""The loss of a table's network on folds of its training rows, with its usual style or another.

    python benchmarks/table_folds.py ../shared/data/tables --target col15 [--folds 0 1]
        [--style activation=relu dropout=0.35] [--recipe weight_decay=0.01]

Of five folds of the training and validation rows each is answered by a network that learned from
the others, less a tenth that chose its epoch. Test rows take no part. One thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import allotrope
from allotrope.architectures.for_tables import choose_for_table
from allotrope.config import Settings
from allotrope.data.examples import Data, Examples
from allotrope.frameworks import framework
from allotrope.training.evaluate import in_batches
from allotrope.training.learner import trainer_for
from allotrope.training.loop import train

FOLDS = 5
SETTINGS = Settings(threads=1)


def fold(data: Data, number: int) -> Data:
    """The fold as test rows, and of the others a tenth as validation rows."""
    columns = {
        name: np.concatenate([data.train[name], data.validation[name]])
        for name in data.train.columns
    }
    count = len(next(iter(columns.values())))
    order = np.random.default_rng(11).permutation(count)
    test = order[number * count // FOLDS : (number + 1) * count // FOLDS]
    rest = np.random.default_rng(12 + number).permutation(np.setdiff1d(order, test))
    rows = {"train": rest[len(rest) // 10 :], "validation": rest[: len(rest) // 10], "test": test}
    splits = {
        split: Examples({name: column[own] for name, column in columns.items()})
        for split, own in rows.items()
    }
    return Data(data.name, data.inputs, data.tasks, splits)


def measured(data: Data, number: int, style: dict[str, Any], recipe: dict[str, Any]) -> str:
    """What one training comes to on the rows of the fold."""
    began = time.perf_counter()
    choice = choose_for_table(data, "auto", recipe, None, None, number, style)
    trained = train(choice.network, data, choice.recipe, SETTINGS)
    trainer = trainer_for(framework("pytorch"), trained.network, data, choice.recipe, SETTINGS)
    (table,), (task,) = data.inputs, data.tasks
    scores = in_batches(trainer.evaluate, {table.name: data.test[table.name]})[task.name]
    likely = scores - np.logaddexp.reduce(scores.astype(np.float64), axis=1, keepdims=True)
    truth = data.test[task.name]
    loss = -np.mean(likely[np.arange(len(truth)), truth])
    accuracy = 100 * np.mean(scores.argmax(1) == truth)
    return (
        f"fold {number}: loss {loss:.4f}, accuracy {accuracy:.2f} %, best in epoch "
        f"{trained.best['epoch']:g}, {time.perf_counter() - began:.0f} s"
    )


def values(words: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE as a mapping; a value that is JSON is read so."""
    pairs = [word.split("=", 1) for word in words]
    return {name: _value(value) for name, value in pairs}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--style", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--recipe", nargs="+", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    data = allotrope.read(asked.data, target=asked.target)
    for number in asked.folds:
        part = fold(data, number)
        print(measured(part, number, values(asked.style), values(asked.recipe)), flush=True)


if __name__ == "__main__":
    main()
