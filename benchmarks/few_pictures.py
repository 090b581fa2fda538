"""How many epochs teach anything where pictures are few: a part of the training pictures alone.

    python benchmarks/few_pictures.py [--data ../shared/data/cifar10.npz] [--pictures 4000]
        [--epochs 40 80] [--seeds 3]

So many training pictures learn, by the usual network and recipe for as many; a ninth of them more
choose the epoch, and 5,000 others, none of the test, are answered. A row for each training.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import allotrope
from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data.examples import Data, Examples
from allotrope.frameworks import framework
from allotrope.training.evaluate import in_batches
from allotrope.training.learner import trainer_for
from allotrope.training.loop import train

ANSWERED = 5_000
SETTINGS = Settings(threads=1, precision="bfloat16", layout="channels-last")


def part_of(data: Data, count: int, seed: int) -> Data:
    """Splits of the training pictures, drawn by the seed."""
    order = np.random.default_rng(100 + seed).permutation(len(data.train))
    rows = {
        "train": order[:count],
        "validation": order[count : count + count // 9],
        "test": order[-ANSWERED:],
    }
    columns = data.train.columns
    splits = {
        split: Examples({name: np.asarray(columns[name][np.sort(own)]) for name in columns})
        for split, own in rows.items()
    }
    return Data(data.name, data.inputs, data.tasks, splits)


def measured(data: Data, epochs: float, seed: int) -> str:
    """What one training comes to on the pictures that it has not seen."""
    began = time.perf_counter()
    choice = choose(data, epochs=epochs, seed=seed)
    trained = train(choice.network, data, choice.recipe, SETTINGS)
    trainer = trainer_for(framework("pytorch"), trained.network, data, choice.recipe, SETTINGS)
    (task,) = data.tasks
    inputs = {each.name: data.test[each.name] for each in data.inputs}
    scores = in_batches(trainer.evaluate, inputs)[task.name].astype(np.float64)
    truth = data.test[task.name]
    likely = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    accuracy = 100 * np.mean(scores.argmax(1) == truth)
    loss = -np.mean(likely[np.arange(len(truth)), truth])
    return (
        f"{epochs:g} epochs, seed {seed}: {accuracy:.2f} %, loss {loss:.4f}, best in epoch "
        f"{trained.best['epoch']:g}, {time.perf_counter() - began:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/cifar10.npz"))
    parser.add_argument("--pictures", type=int, default=4_000)
    parser.add_argument("--epochs", type=float, nargs="+", default=[40.0, 80.0])
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    data = allotrope.read(asked.data)
    for seed in range(asked.seeds):
        part = part_of(data, asked.pictures, seed)
        for epochs in asked.epochs:
            print(measured(part, epochs, seed), flush=True)


if __name__ == "__main__":
    main()
