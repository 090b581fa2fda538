"""How well the probabilities of delivered files fit how often they are right.

    python benchmarks/calibration.py ../shared/data [--only fashion] [--seeds 3] [--budget 3m]

A row a run of `fit`: the file that was delivered, and the expected calibration error (15 bins,
Guo et al. 2017) of its own answers on test data, beside that of the trained network in float32
with its temperature, and without.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import allotrope

SETS = {"fashion": "fashion-mnist", "cifar": "cifar10.npz"}
COLUMNS = (
    "delivered",
    "its test accuracy, %",
    "its calibration error, %",
    "the network's, %",
    "without temperature, %",
    "temperature",
    "epochs",
    "all, s",
)


def measured(source: Path, seed: int, options: dict[str, Any], folder: str) -> list[Any]:
    """One run: the cells of `COLUMNS`."""
    run = allotrope.fit(source, seed=seed, out=folder, quiet=True, **options)
    delivered, test = run.json["delivered"], run.json["test"]
    (task,) = run.json.get("settled") or [{}]
    return [
        f"{delivered['runtime']} {delivered['precision']}",
        100 * delivered["test_accuracy"],
        100 * delivered["test_calibration"]["expected_error"],
        100 * test["calibration"]["expected_error"],
        100 * test["calibration"]["before"],
        task.get("temperature", 1.0),
        run.json["training"]["epochs"],
        run.json["seconds"],
    ]


def row(name: str, cells: list[Any]) -> str:
    texts = [cell if isinstance(cell, str) else f"{cell:.4g}" for cell in cells]
    return f"| {' | '.join([name, *texts])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=SETS, action="append")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--threads", type=int, default=None)
    asked = parser.parse_args()
    options = {"budget": asked.budget, "threads": asked.threads}
    print(f"| data, seed | {' | '.join(COLUMNS)} |\n{'| --- ' * (len(COLUMNS) + 1)}|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.only or SETS:
            rows = []
            for seed in range(asked.seeds):
                rows.append(measured(asked.data / SETS[name], seed, options, folder))
                print(row(f"{name} {seed}", rows[-1]), flush=True)
            numbers = np.mean([cells[1:] for cells in rows], axis=0)
            print(row(f"{name}, mean", ["", *numbers.tolist()]), flush=True)


if __name__ == "__main__":
    main()
