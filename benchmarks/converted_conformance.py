"""ONNX's own core cases as converted source: each is written, opened without its proof, and run.

All in one process.

python benchmarks/converted_conformance.py TARGET [--cases ../shared/conformance/core_cases.txt]
[--show 20] [--only NAME ...]

Last line: target, equal, wrong, refused (a named error), crashed (anything else), and how many were
written with operators spelled out.
"""

from __future__ import annotations

import argparse
import collections
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner, _normalize_tensor

import allotrope
from allotrope.errors import AllotropeError
from allotrope.verbs.convert import TARGETS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "JAX_ENABLE_X64": "1"}


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--cases", default="../shared/conformance/core_cases.txt")
    parser.add_argument(
        "--show", type=int, default=0, help="print this many of each kind that is not equal"
    )
    parser.add_argument("--only", nargs="*", help="names of cases, instead of all")
    parser.add_argument(
        "--part", default="0/1", help="as 1/4: only each fourth case, from the second on"
    )
    return parser.parse_args()


def as_array(value):
    value = _normalize_tensor(value)
    if isinstance(value, list) or value is None:
        return value
    return np.asarray(value)


def outcome_of(case, target):
    """equal, wrong, refused or crashed, and why.

    The last says whether operators were spelled out.
    """
    from converted import opened  # how a test opens a written folder

    spelled = False
    try:
        network = allotrope.load(case.model, repair=False)  # repairs are for training
        with tempfile.TemporaryDirectory() as folder:
            model = opened(network, target, Path(folder))
            spelled = (Path(folder) / "operators.py").exists()
            for inputs, outputs in case.data_sets:
                answers = model([as_array(x) for x in inputs])
                Runner.assert_similar_outputs(
                    [as_array(y) for y in outputs], answers, case.rtol, case.atol
                )
    except AllotropeError as error:
        return "refused", str(error), spelled
    except AssertionError as error:
        return "wrong", " ".join(str(error).split()), spelled
    except Exception as error:  # noqa: BLE001 - anything else is a crash, and is counted as one
        return "crashed", f"{type(error).__name__}: {error}", spelled
    return "equal", "", spelled


def main():
    asked = options()
    warnings.filterwarnings("ignore")
    os.environ.update(SETTINGS)  # before a framework is imported
    wanted = set(asked.only or Path(asked.cases).read_text().split())
    first, step = map(int, asked.part.split("/"))
    cases = [case for case in load_model_tests(kind="node") if case.name in wanted][first::step]
    counts, seen, began = collections.Counter(), collections.defaultdict(list), time.perf_counter()
    for case in cases:
        outcome, why, spelled = outcome_of(case, asked.target)
        counts[outcome] += 1
        counts["spelled out"] += spelled
        seen[outcome].append(f"{case.name}: {why[:300]}")
    for kind in ("wrong", "crashed", "refused"):
        for line in seen[kind][: asked.show]:
            print(f"{kind:8s} {line}")
    figures = ", ".join(
        f"{counts[kind]} {kind}" for kind in ("equal", "wrong", "refused", "crashed")
    )
    taken = time.perf_counter() - began
    print(
        f"{asked.target}: {figures} of {len(cases)}; {counts['spelled out']} with operators "
        f"spelled out ({taken:.0f} s)"
    )


if __name__ == "__main__":
    main()
