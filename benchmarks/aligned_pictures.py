"""What shifts of training pictures are worth, and whether the pictures show things in one place.

    python benchmarks/aligned_pictures.py [--data ../shared/data/fashion-mnist]
        [--epochs 8] [--width 0.375] [--seeds 3]

How much of what varies the mean picture explains; then a row for each training with and without
shifts, by validation pictures. The test takes no part. One thread.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import allotrope
from allotrope.architectures.aligned import explained_by_mean
from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data.examples import Data
from allotrope.training.loop import train

SETTINGS = Settings(threads=1, precision="bfloat16", layout="channels-last")


def measured(data: Data, asked: argparse.Namespace, seed: int, augmentation: str) -> str:
    """What one training comes to."""
    began = time.perf_counter()
    choice = choose(
        data,
        "whitened_cnn",
        {"augmentation": augmentation},
        epochs=asked.epochs,
        seed=seed,
        arguments={"width": asked.width},
    )
    trained = train(choice.network, data, choice.recipe, SETTINGS)
    best = trained.best
    return (
        f"{augmentation} augmentation, seed {seed}: {100 * best['validation_accuracy']:.2f} %, "
        f"loss {best['validation_loss']:.4f}, {time.perf_counter() - began:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/fashion-mnist"))
    parser.add_argument("--epochs", type=float, default=8.0)
    parser.add_argument("--width", type=float, default=0.375)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    data = allotrope.read(asked.data)
    share = explained_by_mean(data.train[data.inputs[0].name])
    print(f"the mean picture explains {share:.1%} of what varies", flush=True)
    for seed in range(asked.seeds):
        for augmentation in ("none", "light"):
            print(measured(data, asked, seed, augmentation), flush=True)


if __name__ == "__main__":
    main()
