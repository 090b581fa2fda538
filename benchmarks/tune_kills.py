"""Kills a search at random moments, and compares what it comes to with one that nobody killed.

    python benchmarks/tune_kills.py [--kills 20] [--trials 30] [--seed 0]

The search is over digits by epochs and with one thread, so that it can be repeated to the bit. Each
kill is a SIGKILL at a moment drawn at random, within the time of one training after the search has
come further than at the kill before. So the kills lie all over the search, however busy the machine
is. Printed are the moments, how far the search was, and whether trials, finals, verdict
and the delivered weights are the same.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "allotrope.cli", "tune", *words]


def compared(folder: Path) -> dict[str, Any]:
    """What must be the same: no time, no path."""
    record = json.loads((folder / "run.json").read_text())
    facts = record["tuning"]
    trials = [
        [
            trial["number"],
            trial["settings"],
            trial["state"],
            [[rung["value"], rung["loss"]] for rung in trial["rungs"]],
        ]
        for trial in facts["trials"]
    ]
    return {
        "status": record["status"],
        "trials": trials,
        "finals": [[row["trial"], row["seed"], row["value"]] for row in facts["finals"]],
        "chosen": facts["verdict"]["trial"],
        "weights": (folder / "model.onnx").read_bytes(),
    }


def trainings_in(folder: Path) -> int:
    """Rungs of trials and final trainings that run.json has."""
    path = folder / "run.json"
    if not path.is_file():
        return 0
    facts = json.loads(path.read_text()).get("tuning", {})
    rungs = sum(len(trial["rungs"]) for trial in facts.get("trials", []))
    return rungs + len(facts.get("finals", []))


def came_further(process: subprocess.Popen[bytes], run: Path, before: int) -> bool:
    """Whether it has trained more than before, as soon as it has; no if it ended."""
    while process.poll() is None:
        if trainings_in(run) > before:
            return True
        time.sleep(0.05)
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tune-kills-"))
    words = ["digits", "--network", "mlp", "--epochs", "3", "--trials", str(asked.trials)]
    words += ["--threads", "1", "--precision", "float32", "--memory-layout", "default"]
    words += ["--no-saliency", "--quiet"]
    began = time.monotonic()
    subprocess.run(command(*words, "--out", str(folder / "whole")), check=True)
    seconds = time.monotonic() - began
    print(f"a search that nobody killed: {seconds:.0f} s", flush=True)
    run = folder / "killed" / "digits-tune-1"
    each = seconds / trainings_in(folder / "whole" / "digits-tune-1")
    rng, before = random.Random(asked.seed), 0
    for kill in range(1, asked.kills + 1):
        go_on = ["--resume", str(run)] if (run / "run.json").is_file() else None
        process = subprocess.Popen(
            command(*(go_on or [*words, "--out", str(folder / "killed")])),
            stdout=subprocess.DEVNULL,
        )
        # The first comes before there is anything.
        if kill > 1 and not came_further(process, run, before):
            print(f"it ended before kill {kill}: fewer trainings than kills need", flush=True)
            break
        wait = rng.uniform(0, each)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = trainings_in(run)
        print(f"kill {kill}: {wait:.1f} s later, {before} trainings", flush=True)
    subprocess.run(command("--resume", str(run), "--quiet"), check=True)
    whole, resumed = compared(folder / "whole" / "digits-tune-1"), compared(run)
    wrong = [name for name in whole if whole[name] != resumed[name]]
    for name in whole:
        print(f"{name}: {'DIFFERS' if name in wrong else 'the same'}")
    numbers = [trial[0] for trial in resumed["trials"]]
    print(f"{len(numbers)} trials, each counted once: {sorted(set(numbers)) == numbers}")
    if not wrong:
        shutil.rmtree(folder)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
