"""`check` as a whole: real processes, its table and JSON, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import allotrope
from agreeing import network
from allotrope import cli, frameworks
from allotrope.errors import UnsupportedError, UsageError
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.measure.agreement.check_result import COLUMNS, agreement
from allotrope.measure.agreement.comparer import compare_slopes
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.probe import moving_values, probed
from allotrope.measure.agreement.recording import steps_kept
from allotrope.measure.agreement.slopes import slopes_of
from allotrope.network.build import Builder
from allotrope.process.carried_arrays import read_arrays, write_arrays
from tested import TESTED

QUICK = {"steps": 3, "batch": 4, "threads": 1, "quiet": True}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "agreeing.onnx"
    network().save(path)
    return path


@pytest.fixture(scope="module")
def proof(file):
    return allotrope.check(file, frameworks=TESTED, **QUICK)


def test_every_framework_agrees_in_both_precisions(proof):
    assert proof.exit_code == 0, str(proof)
    rows = proof.json["rows"]
    assert [(row["framework"], row["precision"]) for row in rows] == [
        (n, p) for n in TESTED for p in ("float64", "float32")
    ]
    for row in rows:
        assert row["status"] == "agrees" and row["version"] and not row["refused"], row
        assert (
            {"outputs", "training outputs", "slopes", "first loss", "first state"}
            <= set(row["parts"])
            <= set(COLUMNS)
        )


def test_later_frameworks_are_held_to_the_first(proof):
    held = [
        row["parts"]
        for row in proof.json["rows"]
        if row["precision"] == "float64" and row["framework"] != TESTED[0]
    ]
    for parts in held:
        assert {parts[part]["against"] for part in ("gradients", "losses", "weights", "state")} == {
            f"{TESTED[0]} float64"
        }
        assert parts["losses"]["compared"] == 3
    assert set(proof.json["partings"]) == set(TESTED[1:])


def test_the_table_has_a_line_for_each_and_the_json_is_plain(proof):
    text = str(proof)
    for name in TESTED:
        # A note, as of a slow machine about a batch of 1, has a colon behind the precision.
        assert len(re.findall(rf"^{name} .*float(?:64|32) ", text, re.MULTILINE)) == 2
    assert "agree" in text.splitlines()[-1]
    assert json.loads(json.dumps(proof.json))["steps"] == 3


def test_a_departure_is_named_and_fails_the_command(file, capsys):
    arguments = [
        "check",
        str(file),
        "--frameworks",
        "pytorch",
        "--precision",
        "float64",
        "--steps",
        "0",
        "--batch",
        "4",
        "--threads",
        "1",
    ]
    assert cli.main([*arguments, "--output-tolerance", "0", "--json"]) == 1
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    (row,) = printed["rows"]
    assert (row["status"], printed["agrees"], printed["loss"]) == ("departs", False, None)
    first = row["parts"]["outputs"]["departures"][0]
    assert first["culprit"].startswith("node '") and 0 < first["error"] < 1e-12


def test_a_framework_that_is_missing_is_a_row_with_the_command_that_installs_it(
    file, proof, monkeypatch
):
    monkeypatch.setitem(frameworks.FRAMEWORKS, "jax", "allotrope_missing")
    alone = allotrope.check(
        file, frameworks=["jax"], precision=["float64"], **{**QUICK, "steps": 0}
    )
    (row,) = alone.json["rows"]
    assert row["status"] == "missing"
    assert row["reason"] == "jax is not installed; install it with: pip install 'allotrope[jax]'"
    assert "pip install 'allotrope[jax]'" in str(alone)
    assert alone.exit_code == 1
    others = [each for each in proof.json["rows"] if each["framework"] != "jax"]
    assert agreement([*others, row], [])
    assert not agreement([*others, row], ["jax"])  # it was named


KILLED = """
import os, signal, sys
if "allotrope.measure.agreement.framework_worker" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_dies_is_a_row_with_its_reason(file, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(KILLED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    proof = allotrope.check(
        file, frameworks=["pytorch"], precision=["float64"], **{**QUICK, "steps": 0}
    )
    (row,) = proof.json["rows"]
    assert (row["status"], proof.exit_code) == ("failed", 1)
    assert "killed by signal 9 during 'begin'" in row["reason"]
    assert "Nothing could be compared." in str(proof)


def test_what_depends_on_the_rounding_of_float32_is_compared_in_it_alone():
    b = Builder("quantized")
    scale, zero = b.constant(np.float32(0.1)), b.constant(np.uint8(128))
    x = b.add("QuantizeLinear", [b.input("x", "float32", ("n", 4)), scale, zero])
    b.output(b.add("DequantizeLinear", [x, scale, zero]), "y")
    proof = allotrope.check(b.network(), frameworks=["pytorch"], **QUICK)
    assert [row["precision"] for row in proof.json["rows"]] == ["float32"]
    assert "float64 is left out: QuantizeLinear" in proof.json["notes"][0]
    assert "it has no trainable weights" in proof.json["notes"][1]
    assert proof.exit_code == 0, str(proof)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frameworks": ["pytroch"]}, "unknown framework 'pytroch'. Did you mean 'pytorch'"),
        ({"frameworks": ["reference"]}, "unknown framework 'reference'"),
        ({"precision": ["float16"]}, "unknown precision 'float16'"),
        ({"steps": -1}, "steps is -1, expected 0 or more"),
        (
            {"batch": 0, "directions": 1},
            "batch is 0, expected more than 0; directions is 1, expected 2 or more",
        ),
        ({"dimensions": ["t=3"]}, "'t=3' is not a free dimension"),
    ],
)
def test_wrong_options_are_refused(file, options, message):
    with pytest.raises(UsageError, match=message):
        allotrope.check(file, **{**QUICK, **options})


def test_lengths_that_fit_are_found_and_said_and_those_that_were_asked_for_stay(capsys):
    b = Builder()
    kernel = b.weight("w", np.ones((1, 1, 5), np.float32))
    b.output(b.add("Conv", [b.input("x", "float32", ("n", 1, "t")), kernel]), "y")
    once = {**QUICK, "steps": 0, "frameworks": ["pytorch"], "precision": ["float64"]}
    proof = allotrope.check(b.network(), **{**once, "quiet": False})
    assert proof.exit_code == 0 and proof.json["lengths"]["t"] == 6, str(proof)
    assert "lengths: t is 6, because 3 does not fit" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"x \[4, 1, 4\].*--dimensions"):
        allotrope.check(b.network(), dimensions=["t=4"], **once)


# --- its parts


def test_arrays_of_every_kind_come_back(tmp_path):
    import ml_dtypes

    arrays = {
        "file": np.arange(3, dtype=ml_dtypes.bfloat16),
        "a/b c.d": np.array(True),
        "": np.zeros((0, 2), np.int8),
        "z": np.array([1 + 2j], np.complex64),
    }
    write_arrays(tmp_path / "arrays.npz", arrays)
    again = read_arrays(tmp_path / "arrays.npz")
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


def test_every_value_that_inputs_or_weights_move_is_probed():
    b = Builder()
    x = b.input("x", "float32", (2,))
    fixed = b.add("Neg", [b.constant(np.ones(2, np.float32))], name="fixed")
    b.output(
        b.add(
            "Add", [b.add("Mul", [x, b.weight("w", np.ones(2, np.float32))], name="moved"), fixed]
        ),
        "y",
    )
    assert moving_values(b.network()) == ("moved", "y")
    assert [value.name for value in probed(b.network(), ("moved", "y")).outputs] == ["moved", "y"]


def computation_of(made, outputs):
    computation = Computation("", "float32", 4, {"n": 4}, 0, 0.1, outputs=outputs)
    computation.__dict__["declared"] = made
    return computation


def test_a_network_is_trained_by_all_its_inputs_and_by_those_outputs_that_are_floats():
    b = Builder()
    x, row = b.input("x", "float32", ("n", 3)), b.input("row", "int64", ("n",))
    taken = b.add("Gather", [b.weight("w", np.ones((2, 3), np.float32)), row])
    b.output(b.add("Add", [x, taken]), "sum")
    b.output(b.add("ArgMax", ["sum"], {"axis": 1}), "highest")
    b.output(b.add("Mul", ["sum", "sum"]), "squares")
    computation = computation_of(b.network(), {"sum": (4, 3), "squares": (4, 3)})
    assert [value.name for value in computation.trained.outputs] == ["sum", "squares"]
    batch = computation.batch_of(1)
    assert batch.inputs["row"].dtype == np.int64 and batch.inputs["x"].shape == (4, 3)
    assert {name: target.shape for name, target in batch.targets.items()} == dict(
        computation.outputs
    )
    outputs = computation.trained.run(batch.inputs)
    squares = [np.square(outputs[name] - batch.targets[name]) for name in computation.outputs]
    computed = computation.plan.loss(ReferencePrimitives(), outputs, batch.targets, {})
    assert float(computed) == pytest.approx(np.concatenate(squares).mean(), rel=1e-6)


def test_a_network_of_texts_is_not_trained():
    b = Builder()
    b.input("text", object, ("n",))
    b.output(b.add("Mul", [b.input("x", "float32", ("n",)), b.weight("w", np.ones(1, np.float32))]))
    with pytest.raises(UnsupportedError, match="its inputs text are texts"):
        _ = computation_of(b.network(), {"mul": (4,)}).trained


def test_inputs_are_the_same_numbers_in_every_precision_and_others_in_every_step(file):
    narrow, wide = (
        Computation(str(file), precision, 4, {"n": 4}, 0, 0.1)
        for precision in ("float32", "float64")
    )
    np.testing.assert_array_equal(narrow.inputs(2)["x"].astype(np.float64), wide.inputs(2)["x"])
    assert wide.inputs(2)["x"].dtype == np.float64
    assert not np.array_equal(wide.inputs(2)["x"], wide.inputs(3)["x"])


def test_a_slope_that_rounding_hides_is_not_settled():
    (slope,) = slopes_of(
        lambda moved: 1.0 + 1e-24 * float(moved["a"].sum()), {"a": np.ones(3)}, 1, 0, print
    )
    compared = compare_slopes({"a": np.full(3, 1e-24)}, [slope], 1e-5)
    assert slope.value == 0 and compared.agrees and compared.left_out == 1


def test_slopes_of_a_known_function():
    arrays = {"a": np.array([1.0, 2.0]), "b": np.array([3.0])}
    slopes = slopes_of(
        lambda moved: float(
            (moved.get("a", arrays["a"]) ** 3).sum() * moved.get("b", arrays["b"])[0]
        ),
        arrays,
        2,
        0,
        print,
    )
    for slope, gradient in zip(slopes, (9 * arrays["a"] ** 2, np.array([9.0])), strict=True):
        (name,) = slope.names
        assert slope.value == pytest.approx((gradient * slope.directions[name]).sum(), rel=1e-8)


def test_a_kink_is_uncertain():
    (slope,) = slopes_of(
        lambda moved: float(np.maximum(moved["a"], 0).sum()), {"a": np.zeros(3)}, 1, 0, print
    )
    assert slope.uncertainty > 0.1


def test_weights_are_kept_after_fewer_steps_if_they_need_too_much_room():
    assert steps_kept(5, 10, 50) == [1, 2, 3, 4, 5]
    steps = steps_kept(200, 10, 60)
    assert steps[0] == 1 and steps[-1] == 200 and len(steps) <= 8
    assert steps_kept(200, 10**9, 1) == [1, 200]
    assert steps_kept(1, 10**9, 1) == [1]
    assert steps_kept(0, 10, 50) == []
