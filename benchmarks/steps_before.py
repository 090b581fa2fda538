"""Training steps of `fit` in this checkout against those in another, one machine, one run.

Each checkout makes its own `benchmarks/training_step.py` ready in a process of its own; the rounds
of the two alternate, so only one of them works at any time. A process may be a third slower than
the next one of the same code, all its life, by where its memory came to lie: so this is done with
several pairs of processes, and the ratio is that of the medians: above 1 if this checkout is
faster.

    python benchmarks/steps_before.py OTHER_CHECKOUT [--pairs 7] [options of training_step.py]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = 5
HERE = Path(__file__).resolve().parents[1]

# Takes the place of `training_step.compared`: a round of `fit` for every line that comes in.
SERVER = """
import sys
import training_step

def serve(name, fit, by_hand, rounds):
    fit()
    print("ready", name, flush=True)
    for line in sys.stdin:
        if line == "next\\n":
            return {}
        print("speed", fit(), flush=True)

training_step.compared = serve
training_step.main()
"""


class Checkout:
    """The trainer of a checkout, ready in a process of its own."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        paths = os.pathsep.join([str(folder / "src"), str(folder / "benchmarks")])
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *arguments],
            env={**os.environ, "PYTHONPATH": paths},
            cwd=folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def heard(self, word: str) -> str:
        """What follows `word` in the next line that begins with it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(word):
                return line[len(word) :].strip()
        raise SystemExit(f"a checkout ended without '{word}', exit code {self.process.wait()}")

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def speed(self) -> float:
        """Examples a second of one round."""
        self.tell("round")
        return float(self.heard("speed"))

    def end(self) -> None:
        """Wait for what it has to say at its end."""
        self.process.communicate()


def round_of_pair(
    folders: dict[str, Path], arguments: list[str], rounds: int
) -> dict[str, dict[str, float]]:
    """Median speeds of a new pair of processes: by what is measured, then by checkout."""
    pair = {name: Checkout(folder, arguments) for name, folder in folders.items()}
    speeds: dict[str, dict[str, float]] = {}
    for _ in ("steps", "loop"):
        measured, _ = (checkout.heard("ready") for checkout in pair.values())
        values = alternately(pair, rounds)
        speeds[measured] = {name: statistics.median(each) for name, each in values.items()}
        print(f"{measured}: " + ", ".join(f"{n} {v:,.0f}/s" for n, v in speeds[measured].items()))
        for checkout in pair.values():
            checkout.tell("next")
    for checkout in pair.values():
        checkout.end()
    return speeds


def alternately(pair: dict[str, Checkout], rounds: int) -> dict[str, list[float]]:
    """Speeds by checkout; every second round begins with the other one."""
    speeds: dict[str, list[float]] = {name: [] for name in pair}
    for number in range(rounds):
        order = list(pair.items())
        if number % 2:
            order.reverse()
        for name, checkout in order:
            speeds[name].append(checkout.speed())
    return speeds


def compared(measured: str, pairs: list[dict[str, dict[str, float]]]) -> dict[str, object]:
    speeds = {who: sorted(pair[measured][who] for pair in pairs) for who in ("this", "other")}
    medians = {who: statistics.median(values) for who, values in speeds.items()}
    ratio = medians["this"] / medians["other"]
    spread = {who: [round(values[0]), round(values[-1])] for who, values in speeds.items()}
    print(
        f"{measured}: {ratio:.3f} of the other checkout's speed; from slowest to fastest {spread}"
    )
    return {"name": measured, "ratio": ratio, "examples_per_second": medians, "spread": spread}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    asked, rest = parser.parse_known_args()
    folders = {"this": HERE, "other": asked.other.resolve()}
    pairs = []
    for number in range(asked.pairs):
        order = sorted(folders, reverse=bool(number % 2))
        pairs.append(round_of_pair({name: folders[name] for name in order}, rest, ROUNDS))
    results = [compared(measured, pairs) for measured in pairs[0]]
    print(json.dumps({"benchmark": "steps_before", "options": rest, "results": results}))


if __name__ == "__main__":
    main()
