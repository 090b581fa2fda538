"""PneumoniaMNIST against its bars: what `fit` and its delivered file reach on the official test.

    python benchmarks/medicine.py ../shared/data [--seeds 3] [--budget 3m] [--also OPTION=VALUE ...]

A row a seed: area under the curve and accuracy of the trained network, accuracy at the threshold
that was chosen on validation data, and accuracy and expected calibration error of the delivered
file. Test data is looked at once, at the end of each run.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import allotrope

COLUMNS = (
    "AUC",
    "accuracy, %",
    "sensitivity at the threshold, %",
    "specificity at the threshold, %",
    "accuracy at the threshold, %",
    "delivered accuracy, %",
    "delivered calibration error, %",
    "epochs",
    "training, s",
    "all, s",
)


def measured(source: Path, seed: int, options: dict[str, Any], folder: str) -> list[float]:
    """One run: the numbers of `COLUMNS`."""
    run = allotrope.fit(source, seed=seed, out=folder, quiet=True, **options)
    test, training = run.json["test"], run.json["training"]
    point, delivered = test["operating_point"], run.json["delivered"]
    right = at_threshold(point, np.sum(test["confusion"], axis=1))
    return [
        test["auc"],
        100 * test["accuracy"],
        100 * point["sensitivity"]["value"],
        100 * point["specificity"]["value"],
        100 * right,
        100 * delivered["test_accuracy"],
        100 * delivered["test_calibration"]["expected_error"],
        training["epochs"],
        training["seconds"],
        run.json["seconds"],
    ]


def at_threshold(point: dict[str, Any], counts: np.ndarray) -> float:
    """The accuracy that sensitivity and specificity are, for so many of each class."""
    shares = point["specificity"]["value"], point["sensitivity"]["value"]
    return float(np.dot(shares, counts) / counts.sum())


def row(name: str, numbers: list[float]) -> str:
    return f"| {' | '.join([name, *(f'{number:.4g}' for number in numbers)])} |"


def option(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.replace("-", "_"), value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--also", type=option, nargs="*", default=[], help="options of fit")
    asked = parser.parse_args()
    source = asked.data / "medical/pneumoniamnist.npz"
    options = {"budget": asked.budget, "threads": asked.threads, **dict(asked.also)}
    print(f"| seed | {' | '.join(COLUMNS)} |\n{'| --- ' * (len(COLUMNS) + 1)}|", flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.seeds):
            rows.append(measured(source, seed, options, folder))
            print(row(str(seed), rows[-1]), flush=True)
    print(row("mean", np.mean(rows, axis=0).tolist()), flush=True)


if __name__ == "__main__":
    main()
