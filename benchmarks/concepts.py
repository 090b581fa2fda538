"""What each concept of deep learning changes: one training with it, one without, equally long.

    python benchmarks/concepts.py [--data ../shared/data] [--only fashion/loss …] [--seeds 0 1 2]
    python benchmarks/concepts.py --write

Takes some 45 minutes on one core. A small network of the zoo is trained on a small part of public
data for a few epochs, with a bare recipe and with one thing added to it or changed; the difference
of the metric on test data is told with a 95 % interval over seeds (Student's t of the differences,
which are of equal seeds). Each training is written to docs/concepts.json as it ends, so that a
command that was stopped goes on behind the last; `--again` measures anew. `--write` trains nothing
and puts the figures into the marks of both pages.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from concept_marks import PAGES, written
from concept_problems import BARE, PROBLEMS
from concept_rows import CONCEPTS, Concept
from concept_training import reached

from allotrope.data.examples import Data
from allotrope.errors import AllotropeError
from allotrope.measure.machine import describe
from allotrope.storage import replace_file

RESULTS = Path("docs/concepts.json")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", nargs="+", default=[""], help="keys that begin so")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure what is there already")
    parser.add_argument("--write", action="store_true", help="put the figures into the pages")
    return parser.parse_args()


class Results:
    """The figures by key and seed, in a file that is whole after every training."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.json: dict[str, Any] = {"problems": {}, "rows": {}}
        if file.is_file():
            self.json = json.loads(file.read_text(encoding="utf-8"))

    def has(self, key: str, seed: int) -> bool:
        return str(seed) in self.json["rows"].get(key, {})

    def put(self, key: str, seed: int, value: float | None, seconds: float, reason: str) -> None:
        """A figure, or the reason why there is none."""
        cell = {"metric": value, "seconds": round(seconds, 1)}
        if reason:
            cell["reason"] = reason
        self.json["rows"].setdefault(key, {})[str(seed)] = cell
        self.json["problems"] = {
            name: {
                "title": each.title,
                "network": each.network,
                "epochs": each.epochs,
                "metric": each.metric,
                "unit": each.unit,
                "factor": each.factor,
            }
            for name, each in PROBLEMS.items()
        }
        self.json |= {"bare": BARE, **describe()}
        replace_file(self.file, (json.dumps(self.json, indent=1) + "\n").encode())


def everything(only: list[str]) -> list[tuple[str, str, Concept | None]]:
    """(key, problem, concept), the bare training of each problem ahead of its concepts."""
    wanted = [each for each in CONCEPTS if each.key.startswith(tuple(only))]
    names = list(dict.fromkeys(each.problem for each in wanted))
    rows: list[tuple[str, str, Concept | None]] = [(name, name, None) for name in names]
    return rows + [(each.key, each.problem, each) for each in wanted]


def measured(asked: argparse.Namespace) -> None:
    """Every training that is not there yet, all seeds of a concept before the next."""
    results = Results(asked.out)
    read: dict[tuple[str, int], Data] = {}
    for key, name, concept in everything(asked.only):
        for seed in asked.seeds:
            if results.has(key, seed) and not asked.again:
                continue
            if (name, seed) not in read:
                read[name, seed] = PROBLEMS[name].read(asked.data, seed)
            began, value, reason = time.perf_counter(), None, ""
            try:
                value = reached(PROBLEMS[name], read[name, seed], concept, seed)
            except AllotropeError as error:
                # A loss that is no number any more is a finding, and the next one is measured.
                reason = str(error)
            seconds = time.perf_counter() - began
            results.put(key, seed, value, seconds, reason)
            print(f"{key} seed {seed}: {value} in {seconds:.1f} s {reason}", flush=True)


def main() -> None:
    """Measures, or writes the pages."""
    asked = options()
    if asked.write:
        results = json.loads(asked.out.read_text(encoding="utf-8"))
        for page in filter(Path.is_file, PAGES):
            page.write_text(written(page.read_text(encoding="utf-8"), results), encoding="utf-8")
            print(f"written: {page}")
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    measured(asked)


if __name__ == "__main__":
    main()
