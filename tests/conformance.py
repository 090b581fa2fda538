"""ONNX's own backend cases, from the onnx wheel, run in one framework: equal, wrong, refused or crashed.

python tests/conformance.py pytorch [node simple pytorch-converted pytorch-operator] prints the counts and what is not equal or refused;
with --gaps it prints the refused cases as tests/known_gaps holds them.
"""

import collections
import functools
import pathlib
import re
import sys
import warnings

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner, _normalize_tensor

from allotrope import load
from allotrope.errors import AllotropeError
from allotrope.testing import Prepared

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
GAPS = pathlib.Path(__file__).parent / "known_gaps"


def array(value):
    """A case's value as the runner compares it; lists and None stay."""
    value = _normalize_tensor(value)
    return value if isinstance(value, list) or value is None else np.asarray(value)


def _stored(folder, name):
    files = sorted(folder.glob(f"{name}_*.pb"), key=lambda file: int(file.stem.split("_")[-1]))
    return [onnx.numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes())) for file in files]


@functools.cache
def cases():
    """Every case of KINDS by name, with its model and its data."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx computes expected values that overflow on purpose
        for case in (case for kind in KINDS for case in load_model_tests(kind=kind)):
            if case.model is None:
                folder = pathlib.Path(case.model_dir)
                case.model = onnx.load(folder / "model.onnx")
                case.data_sets = [(_stored(s, "input"), _stored(s, "output")) for s in sorted(folder.glob("test_data_set_*"))]
            found[case.name] = case
    return found


@functools.cache
def network(name):
    """The case's network, loaded once for all frameworks, or the error that refuses it."""
    try:
        return load(cases()[name].model)
    except AllotropeError as error:
        return error


def outcome(name, framework):
    """equal, wrong, refused or crashed, and why."""
    case, found = cases()[name], network(name)
    if isinstance(found, AllotropeError):
        return "refused", str(found)
    try:
        for inputs, outputs in case.data_sets:
            got = list(Prepared(found, framework).run([array(value) for value in inputs]))
            Runner.assert_similar_outputs([array(value) for value in outputs], got, case.rtol, case.atol)
    except AllotropeError as error:
        return "refused", str(error)
    except AssertionError as error:
        return "wrong", " ".join(str(error).split())
    except Exception as error:  # noqa: BLE001 - anything else is a crash, and is counted as one
        return "crashed", f"{type(error).__name__}: {error}"
    return "equal", ""


def outcomes(framework, kinds=KINDS):
    """The outcome of every case of these kinds, and why, by name."""
    return {name: outcome(name, framework) for name, case in cases().items() if case.kind in kinds}


def known_gaps(framework):
    """The cases that a framework is known to refuse, each with the reason above it in the file."""
    gaps, reason = {}, None
    for line in (GAPS / f"{framework}.txt").read_text().splitlines():
        if line.startswith("# "):
            reason = line[2:]
        elif line:
            gaps[line] = reason
    return gaps


def reason(message):
    """A refusal without what differs between cases of one reason."""
    if "only tensors can go in and out" in message:
        return "sequences and optionals as inputs or outputs of a network"
    if "too old" in message or "has dropped" in message:
        return "opsets before 7, and meanings that ONNX has dropped"
    dtype = re.search(r"no dtype (\w+)", message)
    if dtype:
        return f"no dtype {dtype[1]} in this framework"
    operators = sorted(set(re.findall(r"([\w.:]+) \(node", message)))
    return "operators without a meaning: " + ", ".join(operators) if operators else message[:100]


def main():
    framework, *rest = sys.argv[1:]
    results = outcomes(framework, [kind for kind in rest if kind in KINDS] or KINDS)
    if "--gaps" in rest:
        groups = collections.defaultdict(list)
        for name, (kind, why) in results.items():
            if kind == "refused":
                groups[reason(why)].append(name)
        print("\n\n".join("\n".join([f"# {why}", *sorted(names)]) for why, names in sorted(groups.items())))
        return
    for name, (kind, why) in results.items():
        if kind in ("wrong", "crashed"):
            print(f"{kind:8s} {name}: {why[:200]}")
    counts = collections.Counter(kind for kind, _ in results.values())
    print(f"{framework}: " + ", ".join(f"{counts[kind]} {kind}" for kind in ("equal", "wrong", "refused", "crashed")))


if __name__ == "__main__":
    main()
