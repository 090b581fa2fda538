"""Whether mixup of texts helps: accuracy with and without, after a fixed number of epochs.

    python benchmarks/text_mixup.py --data ../shared/data/trec [--networks text_cnn gru]
        [--mixup 0 0.2 1] [--seeds 3] [--epochs 8]

The validation accuracy is that of the best epoch behind the first step: before it all have the
answers of the linear model that they begin with. The test accuracy is that of the same weights.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

import allotrope
from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data.examples import Data
from allotrope.frameworks import framework as find_framework
from allotrope.training.evaluate import in_batches
from allotrope.training.loop import train


def main() -> None:
    """Print a row for each network and strength."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=["text_cnn", "gru"])
    parser.add_argument("--mixup", nargs="+", type=float, default=[0.0, 0.2, 1.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=8)
    parser.add_argument("--framework", default="pytorch")
    asked = parser.parse_args()
    for name in asked.networks:
        for mixup in asked.mixup:
            rows = []
            for seed in range(asked.seeds):
                data = allotrope.read(asked.data, seed=seed)
                rows.append(reached(data, name, mixup, seed, asked.epochs, asked.framework))
            print(f"{name}, mixup {mixup:g}: {in_words(np.array(rows))}", flush=True)


def reached(
    data: Data, name: str, mixup: float, seed: int, epochs: float, framework: str
) -> tuple[float, float]:
    """Validation and test accuracy in per cent, after a training of its own."""
    asked = {"mixup": mixup} if mixup else {}
    choice = choose(data, name, asked, epochs=epochs, seed=seed)
    settings = Settings(threads=1)
    # Not told that it answers already, so that what training adds is what is given back.
    trained = train(choice.network, data, choice.recipe, settings, framework)
    answer = partial(find_framework(framework).run, trained.network)
    (task,) = data.tasks
    scores = task.scores(
        in_batches(answer, data.taken("test"), data.inputs)[task.name], data.test[task.name]
    )
    return 100 * trained.best["validation_accuracy"], 100 * scores["accuracy"]


def in_words(rows: np.ndarray) -> str:
    """Both accuracies by seed, and their means."""
    parts = []
    for name, values in zip(("validation", "test"), rows.T, strict=True):
        each = ", ".join(f"{value:.1f}" for value in values)
        parts.append(f"{name} {each} (mean {values.mean():.2f})")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
