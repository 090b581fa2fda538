"""ONNX's own cases as converted source, in this process: none may be wrong.

benchmarks/converted_conformance.py runs all.
"""

import collections

import numpy as np
import pytest
from onnx.backend.test.runner import Runner

import conformance
from allotrope.errors import AllotropeError, UnsupportedError
from allotrope.verbs.convert import TARGETS
from converted import opened
from tested import TESTED

ONE_IN = {"pytorch": 20, "jax": 200, "keras": 100, "tensorflow": 400}
COMPARED = ("bool", "float32", "int8", "int16", "int32", "int64", "uint8", "uint16")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", [name for name in TARGETS if name in TESTED])
def test_lines_mean_what_onnxs_own_cases_say(target, tmp_path, capsys):
    counts = collections.Counter(
        _case(name, target, tmp_path / name) for name in conformance.chosen(one_in=ONE_IN[target])
    )
    with capsys.disabled():
        print(f"\nconverted to {target}: {dict(counts)}")
    assert counts["wrong"] == 0
    assert counts["equal"] >= 0.95 * (counts.total() - counts["not read"] - counts["other dtypes"])


def _case(name, target, folder):
    """equal, wrong, or why there is nothing to compare."""
    network, (arrays, expected) = conformance.network(name), conformance.cases()[name].data_sets[0]
    if isinstance(network, AllotropeError):
        return "not read"
    inputs, outputs = (
        [conformance.array(value) for value in values] for values in (arrays, expected)
    )
    if not all(isinstance(x, np.ndarray) and x.dtype.name in COMPARED for x in (*inputs, *outputs)):
        return "other dtypes"
    folder.mkdir()
    try:
        answers = opened(network, target, folder)(inputs)
    except UnsupportedError:
        return "refused"
    try:
        Runner.assert_similar_outputs(outputs, answers, 1e-3, 1e-5)
    except AssertionError:
        return "wrong"
    return "equal"
