"""`convert`: one body of tests for every target.

Each conversion is proved in a fresh process that cannot import Allotrope.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import subprocess
import sys

import numpy as np
import pytest

import allotrope
from allotrope.cli import main
from allotrope.conversion.core.proof import (
    EQUAL,
    difference,
    proof_script,
    prove,
    reference_run,
    rounding,
    run_alone,
)
from allotrope.errors import (
    MissingDependencyError,
    ModelError,
    RunFolderError,
    UnsupportedError,
    UsageError,
)
from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.verbs.convert import TARGETS, convert
from convert_networks import NETWORKS, together, zoo
from converted import opened
from tested import TESTED

CONVERTED = [name for name in TARGETS if name in TESTED]


@pytest.fixture(params=CONVERTED)
def target(request):
    return request.param


@pytest.fixture(params=list({proof_script(name): name for name in reversed(CONVERTED)}.values()))
def proved(request):
    """A target for each script that proves."""
    return request.param


def mlp():
    return zoo("mlp", side=4, hidden=(8,))


def every(target):
    """All kinds of layers in one network, which is converted in the time of one."""
    # Its depthwise convolutions are in `layers` too, and take a minute to be compiled.
    without = ["layers"] + ["mobilenet_v2"] * (target != "pytorch")
    others = {name: make() for name, make in NETWORKS.items() if name not in without}
    return together(NETWORKS["layers"](), **others)


def hostile():
    """A network all of whose names are code."""
    b = Builder('x"""\nimport os; os._exit(7)\n"""')
    w = b.weight('"); import os; os._exit(7)  #\n.weight', np.ones((2, 3), np.float32))
    y = b.add(
        "Gemm",
        [b.input('x"):\n    import os; os._exit(7)\n', "float32", ("n", 3)), w],
        {"transB": 1},
        name="a\n\nimport os; os._exit(7)",
    )
    b.output(
        b.add("Add", [y, b.constant(np.arange(2, dtype=np.float32), "c\nos._exit(7)")]),
        "y' + __import__('os')._exit(7)",
    )
    return b.network()


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """What `convert` gave for all kinds of layers and a target, made once."""
    return functools.cache(
        lambda target: convert(every(target), tmp_path_factory.mktemp(target) / "out", to=target)
    )


@pytest.fixture(scope="module")
def commanded(tmp_path_factory):
    """What the command line wrote and printed for the hostile file and a target, once."""

    def run(target):
        folder = tmp_path_factory.mktemp(target)
        hostile().save(folder / "model.onnx")
        words = ["convert", str(folder / "model.onnx"), "--to", target, str(folder / "out")]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main([*words, "--json"]) == 0
        return folder / "out", json.loads(printed.getvalue().splitlines()[-1])

    return functools.cache(run)


def test_outputs_are_the_references_and_it_learns(target, converted):
    network = every(target)
    folder = converted(target).folder
    record = converted(target).json
    assert set(record["proof"]["differences"]) == {value.name for value in network.outputs}
    assert max(record["proof"]["differences"].values()) <= EQUAL
    # What has an ordinary form is not written as a class of its own.
    assert (target != "keras") or "model.keras" in record["files"]
    before, after = record["proof"]["loss"]
    assert after < before
    assert record["proof"]["learning"] >= len(network.trainable)
    assert sorted(record["files"]) == sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()
    )
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


SOURCE = [name for name in CONVERTED if name != "tensorflow"]
"""Whose folders hold Python; TensorFlow's hold a SavedModel."""


@pytest.mark.parametrize("target", SOURCE)
@pytest.mark.parametrize(
    "words",
    [
        ["format", "--isolated", "--check"],
        ["check", "--isolated", "--select", "E,F,I,B,UP"],
    ],
)
def test_sources_are_formatted(target, words, tmp_path):
    opened(NETWORKS["delivered"](), target, tmp_path)
    sources = [str(path) for path in tmp_path.glob("*.py")]
    command = [sys.executable, "-m", "ruff", *words, *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert sources and done.returncode == 0, done.stdout


def test_the_command_line(target, commanded):
    _, printed = commanded(target)
    assert printed["to"] == target
    assert "README.md" in printed["files"]
    assert max(printed["proof"]["differences"].values()) <= EQUAL


def test_a_wrong_conversion_is_found(proved, commanded):
    """The proof itself: the folder of one network is not another's."""
    network = hostile()
    other = network.with_weights(
        {name: array + np.float32(1e-3) for name, array in network.weights.items()}
    )
    with pytest.raises(UnsupportedError, match=r"'y' \+ __import__.* differs by"):
        prove(other, commanded(proved)[0], proof_script(proved))


def test_names_of_a_hostile_file_stay_text(target, commanded):
    assert commanded(target)[1]["proof"]["learning"] == 1


def test_operators_without_a_meaning_are_listed_with_their_nodes(target, tmp_path):
    """What `run` cannot run either."""
    b = Builder()
    x = b.add("RandomNormalLike", [b.input("x", "float32", ("n", 3))], name="first")
    b.output(b.add("RandomUniformLike", [b.add("Relu", [x])], name="second"), "y")
    with pytest.raises(
        UnsupportedError, match=r"(?s)2 nodes.*'first'.*'second'.*Nothing was written"
    ):
        convert(b.network(), tmp_path / "out", to=target)
    assert not list(tmp_path.iterdir())


# --- bad input, the same for every target


def test_an_unknown_target_suggests_the_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"'pytorhc'.*Did you mean 'pytorch'"):
        convert(mlp(), tmp_path / "out", to="pytorhc")


def test_a_missing_framework_comes_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(TARGETS, "jax", ("jax_that_is_not_there",))
    with pytest.raises(
        MissingDependencyError, match=r"jax_that_is_not_there.*pip install 'allotrope\[jax\]'"
    ):
        convert(mlp(), tmp_path / "out", to="jax")


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        convert(mlp(), tmp_path / "out", to="pytorch")
    with pytest.raises(UsageError, match="is no folder"):
        convert(mlp(), tmp_path / "out" / "mine.txt", to="pytorch")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="is in the way"):
        convert(mlp(), tmp_path / "file" / "out", to="pytorch")


def test_a_file_that_is_no_network_is_named(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        convert(tmp_path / "bad.onnx", tmp_path / "out", to="pytorch")
    assert not (tmp_path / "out").exists()


def test_the_fresh_process_cannot_import_allotrope(target):
    script = proof_script(target).read_text()
    assert 'sys.modules["allotrope"] = None' in script
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            'import sys; sys.modules["allotrope"] = None; import allotrope',
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ModuleNotFoundError" in done.stderr


def test_a_process_that_fails_is_quoted(tmp_path):
    (tmp_path / "broken.py").write_text("raise ValueError('this and that')")
    with pytest.raises(UnsupportedError, match="ValueError: this and that"):
        run_alone(tmp_path / "broken.py")


def test_the_cause_is_quoted_and_not_what_a_model_was_called_with(proved, commanded, tmp_path):
    np.savez(tmp_path / "inputs.npz", np.zeros((2, 3, 5, 7), np.float32))
    outputs = str(tmp_path / "outputs.npz")
    with pytest.raises(UnsupportedError, match=r"shape|incompatible"):
        run_alone(
            proof_script(proved), str(commanded(proved)[0]), str(tmp_path / "inputs.npz"), outputs
        )


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (np.array([1.0, 2.0], np.float32), 0.0),
        (np.array([1.0, 2.5], np.float32), 0.25),
        (np.array([[1.0, 2.0]], np.float32), np.inf),
        (np.array([1, 2]), np.inf),
        (np.array([1.0, 2.0]), np.inf),
    ],
)
def test_differences(output, expected):
    assert difference(np.array([1.0, 2.0], np.float32), output) == expected


def test_the_batch_is_found_where_a_state_has_it():
    """A name of a first axis is the batch's everywhere; of axes without a name it is tried."""
    for name in ("n", None):
        b = Builder()
        x, state = b.input("x", "float32", (name, 3)), b.input("state", "float32", (2, name, 3))
        b.output(
            b.add(
                "Concat", [state, b.add("Unsqueeze", [x, b.constant(np.array([0]))])], {"axis": 0}
            ),
            "y",
        )
        inputs, _ = reference_run(b.network())
        assert {key: array.shape for key, array in inputs.items()} == {
            "x": (4, 3),
            "state": (2, 4, 3),
        }


@pytest.mark.parametrize("new", ["t", 1])
def test_a_mask_is_as_long_as_a_past_and_what_is_new(new):
    b = Builder()
    x, past = b.input("x", "float32", ("n", new)), b.input("past", "float32", ("n", "p"))
    mask = b.input("attention_mask", "float32", ("n", "all"))
    b.output(b.add("Mul", [mask, b.add("Concat", [past, x], {"axis": 1})]), "y")
    inputs, _ = reference_run(b.network())
    lengths = {name: array.shape[1] for name, array in inputs.items()}
    assert lengths["attention_mask"] == lengths["past"] + lengths["x"]
    assert lengths["past"] > 1


def test_indices_reach_the_whole_table_also_behind_a_cast():
    b = Builder()
    table = b.weight("table", np.eye(20, dtype=np.float32))
    ids = b.add("Cast", [b.input("ids", "int32", ("n", "t"))], {"to": 7})
    b.output(b.add("Gather", [table, ids]), "y")
    inputs, _ = reference_run(b.network())
    assert 10 < inputs["ids"].max() < 20
    assert inputs["ids"].min() >= 0


def test_rounding_is_what_float32_makes_of_it():
    b = Builder()
    x = b.input("x", "float32", ("n", 3))
    large = b.constant(np.float32(1e6))
    b.output(b.add("Sub", [b.add("Add", [x, large]), large]), "y")
    network = b.network()
    inputs, expected = reference_run(network)
    assert 1e-3 < rounding(network, inputs, expected)["y"] < 1e-1


def test_the_function_is_public():
    assert allotrope.convert is convert
    assert isinstance(mlp(), Network)
