"""ONNX's own backend cases, from the onnx wheel, run in one framework.

Each is equal, wrong, refused or crashed.

    python tests/conformance.py pytorch [node simple pytorch-converted pytorch-operator]
        [--gradients] [--gaps]

prints the counts and what is wrong or crashed, on standard error; with --gaps it prints what
tests/known_gaps holds on standard output: the refused cases, and with --gradients those gradients
that are not equal.
"""

import collections
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import warnings
import zlib

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner, _normalize_tensor

from allotrope import load
from allotrope.errors import AllotropeError, NodeError
from allotrope.frameworks.keras.keras_engine import ENGINES, engine
from allotrope.frameworks.widening import widened, widened_array
from allotrope.testing import Prepared

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
GAPS = pathlib.Path(__file__).parent / "known_gaps"
STEPS = {"BitCast", "Cast", "CastLike", "DynamicQuantizeLinear", "QuantizeLinear"}
"""Operators that keep a case from being checked in float64, or make it a staircase."""


def array(value):
    """A case's value as the runner compares it; lists and None stay."""
    value = _normalize_tensor(value)
    return value if isinstance(value, list) or value is None else np.asarray(value)


def _stored(folder, name):
    files = sorted(folder.glob(f"{name}_*.pb"), key=lambda file: int(file.stem.split("_")[-1]))
    return [
        onnx.numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes())) for file in files
    ]


@functools.cache
def cases():
    """Every case of KINDS by name, with its model and its data."""
    by_name = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx computes expected values that overflow on purpose
        for case in (case for kind in KINDS for case in load_model_tests(kind=kind)):
            if case.model is None:
                folder = pathlib.Path(case.model_dir)
                case.model = onnx.load(folder / "model.onnx")
                case.data_sets = [
                    (_stored(s, "input"), _stored(s, "output"))
                    for s in sorted(folder.glob("test_data_set_*"))
                ]
            by_name[case.name] = case
    return by_name


def chosen(kinds=KINDS, one_in=1, turn=0):
    """The names of the cases of these kinds, or of one in so many: which ones, `turn` says."""
    of_kinds = [name for name, case in cases().items() if case.kind in kinds]
    return [name for name in of_kinds if zlib.crc32(name.encode()) % one_in == turn % one_in]


@functools.cache
def turn_of_commit():
    """A number that is another one for each commit; ALLOTROPE_TEST_TURN says another.

    0 without git.
    """
    asked, git = os.environ.get("ALLOTROPE_TEST_TURN"), shutil.which("git")
    if asked or git is None:
        return int(asked or 0)
    command = [git, "-C", str(GAPS.parent), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    return int(done.stdout[:8], 16) if done.returncode == 0 else 0


@functools.cache
def network(name):
    """The case's network, loaded once for all frameworks, or the error that refuses it."""
    try:
        return load(cases()[name].model, repair=False)
    except AllotropeError as error:
        return error


def outcome(name, framework):
    """equal, wrong, refused or crashed, and why."""
    return outcome_of(cases()[name], network(name), framework)


def outcome_of(case, loaded, framework):
    """The same of what was loaded for a case, or of the error that refuses it."""
    if isinstance(loaded, AllotropeError):
        return "refused", str(loaded)
    try:
        for inputs, outputs in case.data_sets:
            got = list(Prepared(loaded, framework).run([array(value) for value in inputs]))
            Runner.assert_similar_outputs(
                [array(value) for value in outputs], got, case.rtol, case.atol
            )
    except NodeError as error:
        # A sound network's arrays fit its nodes, so that this is a fault of ours.
        return "crashed", str(error)
    except AllotropeError as error:
        return "refused", str(error)
    except AssertionError as error:
        return "wrong", " ".join(str(error).split())
    except Exception as error:  # noqa: BLE001 - anything else is a crash, and is counted as one
        return "crashed", f"{type(error).__name__}: {error}"
    return "equal", ""


def gradient_outcome(name, framework):
    """The same of the gradients of a case that is equal, in float64 against central differences.

    Left out if these say nothing.
    """
    loaded = network(name)
    if isinstance(loaded, AllotropeError) or any(
        node.op_type in STEPS for node in cases()[name].model.graph.node
    ):
        return "left out", "casts"
    wide = widened(loaded)
    arrays = [array(value) for value in cases()[name].data_sets[0][0]]
    try:
        return slope_outcome(
            functools.partial(wide.run, framework=framework),
            functools.partial(wide.gradients, framework=framework),
            {v.name: widened_array(a) for v, a in zip(wide.inputs, arrays, strict=False)},
            np.random.default_rng(zlib.crc32(name.encode())),
        )
    except NodeError as error:
        return "crashed", str(error)
    except AllotropeError as error:
        return "refused", str(error)
    except Exception as error:  # noqa: BLE001 - as above
        return "crashed", f"{type(error).__name__}: {error}"


def slope_outcome(run, gradients, inputs, rng):
    """Whether the gradients are the slope of a random sum of the outputs.

    Along one random direction.
    """
    seeds = {
        n: rng.standard_normal(y.shape) for n, y in run(inputs).items() if y.dtype == np.float64
    }
    directions = {
        n: rng.standard_normal(a.shape)
        for n, a in inputs.items()
        if a.dtype == np.float64 and a.size
    }
    if not seeds or not directions:
        return "left out", "no float input or output"
    slope = sum(
        float((g * directions[n]).sum())
        for n, g in gradients(inputs, seeds).items()
        if n in directions
    )

    def at(step):
        moved = run(
            {n: a + step * directions[n] if n in directions else a for n, a in inputs.items()}
        )
        return sum(float((moved[n] * seed).sum()) for n, seed in seeds.items())

    near, far = ((at(step) - at(-step)) / (2 * step) for step in (1e-6, 1e-5))
    if not np.isfinite([near, far]).all() or abs(near - far) > 1e-3 * max(1.0, abs(near)):
        return "left out", "not smooth here"
    if np.isclose(slope, near, rtol=1e-3, atol=1e-5):
        return "equal", ""
    return "wrong", f"{slope} is not {near}"


def outcomes(framework, names):
    """The outcome of these cases, and why, by name."""
    return {name: outcome(name, framework) for name in names}


def gradient_outcomes(framework, names):
    """The outcome of the gradients of these cases, each under `gradient` and its name."""
    return {f"gradient {name}": gradient_outcome(name, framework) for name in names}


def computing(framework):
    """The framework that computes: the engine of Keras, else the framework itself."""
    return ENGINES[engine()] if framework == "keras" else framework


def known_gaps(framework):
    """The cases that a framework is known to refuse, or to have another gradient in.

    Each with the reason that stands above it in the file.
    """
    gaps, reason = {}, None
    for line in (GAPS / f"{computing(framework)}.txt").read_text().splitlines():
        if line.startswith("# "):
            reason = line[2:]
        elif line:
            gaps[line] = reason
    return gaps


REASONS = {
    "only tensors can go in and out": "sequences and optionals as inputs or outputs of a network",
    "too old|has dropped": "opsets before 6, and meanings that ONNX has dropped",
    "dtype object": "strings",
    "there is no gradient by": "no gradient by floats whose values must be known beforehand",
    "scatter_mul gradients": "JAX has no gradient of a scatter that multiplies",
}
"""What a refusal says, and what it is for the cases of one reason."""


KINKS = {
    "gradient test_reduce_min_default_axes_keepdims_example": (
        "three elements are equally small, where central differences are no "
        "gradient of any kind: they give (largest + smallest) / 2 of the three"
    ),
}
"""Why the gradients differ from central differences that do."""


def reason(message):
    """A refusal without what differs between cases of one reason."""
    for pattern, meant in REASONS.items():
        if re.search(pattern, message):
            return meant
    dtype = re.search(r"no (?:dtype|kernels for dtype) (\w+)", message)
    if dtype:
        return f"no dtype {dtype[1]} in this framework"
    operators = sorted(set(re.findall(r"([\w.:]+) \(node", message)))
    return "operators without a meaning: " + ", ".join(operators) if operators else message[:100]


def print_gaps(results):
    """Everything that is refused or wrong, by reason, as tests/known_gaps holds it."""
    groups = collections.defaultdict(list)
    for name, (kind, why) in results.items():
        if kind in ("refused", "wrong"):
            groups[reason(why) if kind == "refused" else f"wrong: {KINKS.get(name, why)}"].append(
                name
            )
    print(
        "\n\n".join(
            "\n".join([f"# {why}", *sorted(names)]) for why, names in sorted(groups.items())
        )
    )


def print_counts(label, results):
    """What is wrong or crashed, and how many there are of each kind."""
    for name, (kind, why) in results.items():
        if kind in ("wrong", "crashed"):
            print(f"{kind:8s} {name}: {why[:200]}", file=sys.stderr)
    counts = collections.Counter(kind for kind, _ in results.values())
    total = ", ".join(
        f"{counts[kind]} {kind}" for kind in ("equal", "wrong", "refused", "crashed", "left out")
    )
    print(f"{label}: {total}", file=sys.stderr)


def main():
    warnings.simplefilter("ignore")
    framework, *rest = sys.argv[1:]
    names = chosen([kind for kind in rest if kind in KINDS] or KINDS)
    results = outcomes(framework, names)
    equal = [name for name in names if results[name][0] == "equal" and cases()[name].kind == "node"]
    gradients = gradient_outcomes(framework, equal) if "--gradients" in rest else {}
    if "--gaps" in rest:
        print_gaps(results | gradients)
    print_counts(framework, results)
    if gradients:
        print_counts(f"{framework}, gradients", gradients)


if __name__ == "__main__":
    main()
