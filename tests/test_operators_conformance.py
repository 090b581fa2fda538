"""Every case of ONNX's own backend suite that the wheel brings, and their gradients.

The cases are in float32, as ONNX gives them.

The reference and PyTorch run all cases, the other frameworks one in eight, JAX one in thirty-two:
others in each commit, of which ALLOTROPE_TEST_TURN repeats those that a failure names.
ALLOTROPE_TEST_CONFORMANCE=full runs all cases in all.

Some of the cases as converted source, too, of which none may be wrong;
benchmarks/converted_conformance.py runs all. They stand here because the cases take seconds to be
made, once in a process.
"""

import collections

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.backend.test.runner import Runner

import conformance
from allotrope import load
from allotrope.errors import AllotropeError, UnsupportedError
from allotrope.frameworks.widening import widened
from allotrope.verbs.convert import TARGETS
from converted import opened
from tested import EVERYTHING, TESTED

LEAST = {"reference": 1943, "pytorch": 1857, "tensorflow": 1779, "jax": 1779}
"""Cases that must be equal, of 2,024."""
ONE_IN_OF_CONVERTED = {"pytorch": 20, "jax": 200, "keras": 100, "tensorflow": 400}
COMPARED = ("bool", "float32", "int8", "int16", "int32", "int64", "uint8", "uint16")


def chosen(name, kinds=conformance.KINDS):
    """The cases that a framework runs here; JAX, which compiles each, one in so many."""
    if EVERYTHING or name in ("reference", "pytorch"):
        return conformance.chosen(kinds)
    one_in = 32 if name == "jax" else 8
    return conformance.chosen(kinds, one_in, conformance.turn_of_commit())


def test_turns_go_over_all_cases_once():
    parts = [conformance.chosen(one_in=8, turn=turn) for turn in range(8)]
    assert sorted(name for part in parts for name in part) == sorted(conformance.cases())
    assert all(len(part) > len(conformance.cases()) / 16 for part in parts)
    assert conformance.turn_of_commit() == conformance.turn_of_commit() >= 0


def counted(label, results, gaps, capsys):
    """Says how many there are of each kind; the names of each kind."""
    kinds = collections.defaultdict(set)
    for name, (kind, _) in results.items():
        kinds[kind].add(name)
    listed = {name: reason for name, reason in gaps.items() if name in results}
    with capsys.disabled():
        counts = ", ".join(f"{len(names)} {kind}" for kind, names in sorted(kinds.items()))
        turn, reasons = conformance.turn_of_commit(), len(set(listed.values()))
        print(
            f"\n{label}: {counts} of {len(results)} cases (ALLOTROPE_TEST_TURN={turn}); "
            f"{len(listed)} known gaps, {reasons} reasons"
        )
    return kinds, listed


@pytest.mark.filterwarnings("ignore")
def test_every_case_is_equal_or_a_known_gap(framework, capsys):
    names = chosen(framework)
    results = conformance.outcomes(framework, names)
    kinds, gaps = counted(framework, results, conformance.known_gaps(framework), capsys)
    assert not {name: results[name] for name in kinds["wrong"] | kinds["crashed"]}
    assert not kinds["refused"] - gaps.keys(), "refused, but not listed in known_gaps"
    assert not gaps.keys() - kinds["refused"], "listed in known_gaps, but not refused"
    assert (
        len(names) < len(conformance.cases())
        or len(kinds["equal"]) >= LEAST[conformance.computing(framework)]
    )


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.filterwarnings("ignore")
def test_gradients_are_slopes_or_known_gaps(name, capsys):
    known = conformance.known_gaps(name)
    cases = [case for case in chosen(name, ["node"]) if case not in known]
    results = conformance.gradient_outcomes(name, cases)
    kinds, gaps = counted(f"{name}, gradients", results, known, capsys)
    differ = {case for case, reason in gaps.items() if reason.startswith("wrong: ")}
    assert not {case: results[case] for case in kinds["crashed"]}
    assert not {case: results[case] for case in kinds["wrong"] - differ}
    assert not kinds["refused"] - gaps.keys(), "refused, but not listed in known_gaps"
    assert not gaps.keys() - kinds["refused"] - kinds["wrong"], "listed in known_gaps, but equal"
    # Half of all cases have slopes; of a part of them, which goes by the commit, 44 of 94 had.
    # Of a smaller one, as of JAX's fifty, chance makes it fewer.
    share = 3 if len(results) > 80 else 5
    assert len(kinds["equal"]) >= len(results) // share


def test_gradient_check_finds_planted_errors():
    network = widened(conformance.network("test_gemm_all_attributes"))
    arrays = [
        conformance.array(value)
        for value in conformance.cases()["test_gemm_all_attributes"].data_sets[0][0]
    ]
    inputs = {v.name: a.astype(np.float64) for v, a in zip(network.inputs, arrays, strict=True)}
    run, gradients = (
        lambda *arguments, f=f: f(*arguments, framework=TESTED[0])
        for f in (network.run, network.gradients)
    )

    def planted(*arguments):
        return {name: 1.01 * g for name, g in gradients(*arguments).items()}

    assert conformance.slope_outcome(run, gradients, inputs, np.random.default_rng(0))[0] == "equal"
    assert conformance.slope_outcome(run, planted, inputs, np.random.default_rng(0))[0] == "wrong"


def test_arrays_that_do_not_fit_a_node_of_a_sound_network_are_counted_as_a_crash():
    inputs = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [f"{name}{axis}" for axis in range(3)]
        )
        for name in "xy"
    ]
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "y"], ["sum"])], "add", inputs, [output]
    )
    planted = load(
        helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)]),
        repair=False,
    )
    kind, why = conformance.outcome_of(conformance.cases()["test_add"], planted, "reference")
    assert kind == "crashed"
    assert "MatMul (node 'sum')" in why


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", [name for name in TARGETS if name in TESTED])
def test_lines_mean_what_onnxs_own_cases_say(target, tmp_path, capsys):
    names = conformance.chosen(one_in=ONE_IN_OF_CONVERTED[target])
    counts = collections.Counter(_case(name, target, tmp_path / name) for name in names)
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
