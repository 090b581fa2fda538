"""What `allotrope fit` reaches on real data in a given time, each from one command.

Accuracy, AUC and the delivered file.

python benchmarks/accuracy.py fashion pneumonia digits [--data ../shared/data] [--out runs]
python benchmarks/accuracy.py cifar --budget 12m
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

CASES = {
    "digits": ("digits", []),
    "fashion": ("{data}/fashion-mnist", ["--budget", "5m"]),
    "pneumonia": ("{data}/medical/pneumoniamnist.npz", ["--budget", "3m"]),
    "cifar": ("{data}/cifar10.npz", ["--budget", "12m"]),
}

DELIVERED = ("runtime", "precision", "test_accuracy", "latency_ms", "throughput", "size_bytes")


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", choices=CASES)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--out", default="runs")
    parser.add_argument("--budget", help="instead of the case's own")
    parser.add_argument("--epochs", help="instead of a budget")
    parser.add_argument("--seed", default="0")
    return parser.parse_args()


def command(case, asked):
    source, limits = CASES[case]
    if asked.epochs is not None:
        limits = ["--epochs", asked.epochs]
    elif asked.budget is not None:
        limits = ["--budget", asked.budget]
    return [
        "fit",
        source.format(data=asked.data),
        *limits,
        "--seed",
        asked.seed,
        "--out",
        asked.out,
        "--json",
    ]


def row(case, arguments, record, seconds):
    delivered = record["delivered"]
    return {
        "case": case,
        "command": "allotrope " + " ".join(arguments),
        "network": record["network"],
        "width": record["network_details"]["arguments"].get("width"),
        "settings": record["settings"],
        "epochs": record["training"]["epochs"],
        "training_seconds": round(record["training"]["seconds"], 1),
        "all_seconds": round(seconds, 1),
        "images_per_second": round(record["images_per_second"]),
        "test": {k: v for k, v in record["test"].items() if k in ("accuracy", "loss", "auc")},
        "delivered": delivered and {name: delivered[name] for name in DELIVERED},
        "run": record["run"],
    }


def main():
    asked = options()
    for case in asked.cases:
        arguments = command(case, asked)
        began = time.perf_counter()
        done = subprocess.run(
            [str(Path(sys.executable).parent / "allotrope"), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 3):
            sys.exit(f"{case}: allotrope ended with exit code {done.returncode}")
        record = json.loads(done.stdout.splitlines()[-1])
        print(json.dumps(row(case, arguments, record, time.perf_counter() - began)), flush=True)


if __name__ == "__main__":
    main()
