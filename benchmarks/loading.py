"""How long `allotrope.load` takes, against another checkout in the same rounds.

    python benchmarks/loading.py --rounds 9 --against ../before

The networks are those of the onnx wheel, whose weights are left out of the files: ResNet-50 and
DenseNet-121. Each round starts a process a checkout, which loads each network twice and tells the
second time, so that neither imports nor the start of onnx's own process are in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import onnx

NETWORKS = ("resnet50", "densenet121")
FILES = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
HERE = Path(__file__).resolve().parents[1]

CODE = """
import json, sys, time
import allotrope

times = {}
for path in sys.argv[1:]:
    allotrope.load(path)
    start = time.perf_counter()
    allotrope.load(path)
    times[path] = time.perf_counter() - start
print(json.dumps(times))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--against", type=Path, help="another checkout of this project")
    options = parser.parse_args()
    if options.against is None:
        checkouts = [HERE]
    else:
        checkouts = [options.against.resolve(), HERE]
    paths = [str(FILES / f"light_{name}.onnx") for name in NETWORKS]
    seconds = {(checkout, path): [] for checkout in checkouts for path in paths}
    for _ in range(options.rounds):
        for checkout in checkouts:
            for path, taken in measured(checkout, paths).items():
                seconds[checkout, path].append(taken)
    for name, path in zip(NETWORKS, paths, strict=True):
        medians = [median(seconds[checkout, path]) for checkout in checkouts]
        ratio = ""
        if len(medians) > 1:
            ratio = f", {medians[0] / medians[-1]:.2f} times as fast"
        print(f"{name:12} " + ", ".join(f"{number:.3f} s" for number in medians) + ratio)


def measured(checkout: Path, paths: list[str]) -> dict[str, float]:
    """The seconds of each load in a fresh process of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CODE, *paths]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(output.stdout)


if __name__ == "__main__":
    main()
