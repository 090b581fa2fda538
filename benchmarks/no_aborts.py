"""Two training steps of everything at hand, in every framework and setting: none may abort.

Networks are the files that are named, the nine of the onnx wheel, those of the zoo, small ones as
detectors are, made at random, and ONNX's own cases with float inputs and outputs, whose inputs get
weights. Each has a process of its own; cases go through one process one after the other, and if it
dies, the next goes on in a fresh one. `--together` does so with all networks, which saves starting
a framework for each.

    python benchmarks/no_aborts.py [--kinds file light zoo random case]
        [--files ../shared/data/onnx/*.onnx] [--frameworks tensorflow jax] [--randoms 40]
        [--patience 900] [--not-compiled | --only-compiled] [--precisions bfloat16] [--together]

An abort is printed with the line that the process wrote last. The last line has the counts; the
exit code is 1 if there was any. PyTorch's compiler takes seconds for each case, so it compiles one
case in 25.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import pathlib
import sys
import time
import zlib

import no_aborts_networks as networks

from allotrope.frameworks import FRAMEWORKS, missing
from allotrope.process.worker import WorkerError, WorkerProcess

KINDS = ("file", "light", "zoo", "random", "case")
FRESH_AFTER = 100
"""Cases that one process trains, so that it does not grow without end."""


def opened(patience):
    return WorkerProcess("no_aborts_worker", 1, patience)


def all_settings(framework):
    with opened(600) as worker:
        return worker.ask("settings", framework_name=framework)["settings"]


class Process:
    """The worker that is trained in, a new one when it has died or done enough."""

    def __init__(self, patience):
        self.patience, self.worker, self.done = patience, None, 0

    def train(self, alone, **asked):
        """The outcome of one network: what the worker says, or `aborted`."""
        if self.worker is None or alone or self.done >= FRESH_AFTER:
            self.close()
            self.worker, self.done = opened(self.patience), 0
        self.done += 1
        try:
            return self.worker.ask("train", **asked)
        except WorkerError as error:
            self.close()
            return {
                "outcome": "no end" if "no answer" in str(error) else "aborted",
                "why": str(error),
            }

    def close(self):
        if self.worker is not None:
            self.worker.close()
        self.worker = None


def is_left_out(name, framework, settings):
    compiles = framework == "pytorch" and settings["compiled"] and name.startswith("case:")
    return compiles and zlib.crc32(name.encode()) % 25 != 0


def is_asked(framework, settings, asked):
    if asked.precisions and settings["precision"] not in asked.precisions:
        return False
    if asked.only_compiled:
        return settings["compiled"]
    return not (asked.not_compiled and settings["compiled"] and framework != "jax")


def swept(framework, subjects, asked):
    """How every network ended in every setting, counted.

    With a line for each kind of them and each that is not as it should be.
    """
    counts, process = collections.Counter(), Process(asked.patience)
    for settings in all_settings(framework):
        if not is_asked(framework, settings, asked):
            continue
        label = (
            f"{framework} {settings['precision']} "
            f"{settings['layout']}{' compiled' * settings['compiled']}"
        )
        for kind, group in itertools.groupby(subjects, lambda name: name.partition(":")[0]):
            began = time.perf_counter()
            own = trained(process, framework, settings, group, label, asked.together)
            print(
                f"{label}: {kind}: {shown(own)} ({time.perf_counter() - began:.0f} s)", flush=True
            )
            counts += own
        process.close()
    return counts


def trained(process, framework, settings, group, label, together):
    """How the networks of a group ended in one setting, counted."""
    counts = collections.Counter()
    for name in group:
        if is_left_out(name, framework, settings):
            continue
        alone = not (together or name.startswith("case:"))
        asked = {"framework_name": framework, "name": name, "settings": settings}
        answer = process.train(alone, **asked)
        counts[answer["outcome"]] += 1
        if is_told(name, answer):
            print(f"{answer['outcome']:8} {label}: {name}: {answer['why']}", flush=True)
    return counts


def is_told(name, answer):
    """Whether a network has a line of its own: all that is not plainly trained, no refused case."""
    if answer["outcome"] == "refused":
        return not name.startswith("case:")
    return answer["outcome"] != "trained" or bool(answer["why"])


def shown(counts):
    return ", ".join(
        f"{counts[outcome]} {outcome}"
        for outcome in ("trained", "refused", "failed", "no end", "aborted")
    )


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    shared = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data" / "onnx"
    parser.add_argument(
        "--files", nargs="*", default=[str(path) for path in sorted(shared.glob("*.onnx"))]
    )
    parser.add_argument(
        "--frameworks", nargs="+", default=[name for name in FRAMEWORKS if name != "reference"]
    )
    parser.add_argument("--randoms", type=int, default=40)
    parser.add_argument("--patience", type=float, default=900.0, help="seconds for one network")
    parser.add_argument(
        "--not-compiled",
        action="store_true",
        help="leave out settings that compile; JAX has no others",
    )
    parser.add_argument("--only-compiled", action="store_true", help="leave out all others")
    parser.add_argument("--precisions", nargs="+", help="only settings of these")
    parser.add_argument("--together", action="store_true", help="several networks to a process")
    parser.add_argument("--only", help="networks whose names have this in them")
    return parser.parse_args()


def main():
    asked = options()
    folder = os.path.dirname(os.path.abspath(__file__))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    subjects = [
        name for kind in asked.kinds for name in networks.names(kind, asked.files, asked.randoms)
    ]
    subjects = [name for name in subjects if not asked.only or asked.only in name]
    rows = {}
    for framework in asked.frameworks:
        if missing(framework) is not None:
            print(f"{framework}: {missing(framework)}")
            continue
        rows[framework] = swept(framework, subjects, asked)
        print(f"{framework}: {shown(rows[framework])}", flush=True)
    print(
        json.dumps(
            {
                "benchmark": "no_aborts",
                "options": vars(asked),
                "networks": len(subjects),
                "rows": rows,
            }
        )
    )
    return int(any(counts["aborted"] for counts in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
