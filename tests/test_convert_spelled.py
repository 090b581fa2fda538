"""Operators that are carried along: what the written `operators.py` holds.

And graphs that no ordinary line can say.
"""

import ast
import subprocess
import sys

import numpy as np
import pytest

import converted
from allotrope.conversion.core.carried import PRIMITIVES, Carried
from allotrope.conversion.core.carried_text import Written
from allotrope.conversion.core.entries import entries
from allotrope.conversion.core.proof import proof_script, prove
from allotrope.errors import UnsupportedError
from allotrope.network.build import Builder
from allotrope.operators.interpret import OPERATORS
from allotrope.verbs.convert import TARGETS, convert
from convert_spelled_networks import NETWORKS
from tested import TESTED


@pytest.fixture(params=[name for name in TARGETS if name in TESTED and name != "tensorflow"])
def target(request):
    """TensorFlow's folders hold what Keras's do."""
    return request.param


SMALL = {
    "pytorch": tuple(NETWORKS),
    "jax": ("branches", "free_picture"),
    "keras": ("branches", "free_text", "zero_state"),
}
"""What each target is tried on here, which takes seconds; `benchmarks/converted_conformance.py`
tries everything."""


@pytest.mark.parametrize(
    ("target", "name"), [(t, name) for t, names in SMALL.items() if t in TESTED for name in names]
)
def test_it_computes_what_the_reference_does(target, name, tmp_path):
    network, inputs = NETWORKS[name]()
    run = converted.opened(network, target, tmp_path)
    for arrays in inputs:
        expected = network.run(dict(zip([v.name for v in network.inputs], arrays, strict=True)))
        for one, other in zip(run(list(arrays)), expected.values(), strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("target", [name for name in ("pytorch", "tensorflow") if name in TESTED])
def test_the_whole_proof_of_a_graph_with_all_of_it(target, tmp_path):
    """In a process that cannot import Allotrope.

    The weights of a branch and of a loop's body learn too.
    """
    network, _ = NETWORKS["branches"]()
    converted = convert(network, tmp_path / "out", to=target)
    assert "operators.py" in converted.json["files"]
    assert converted.json["proof"]["learning"] >= len(network.trainable)
    readme = (converted.folder / "README.md").read_text()
    assert "spelled out" in readme
    assert "If" in readme


def test_the_proof_takes_the_other_branch_too(tmp_path):
    """Whose weights the usual value of the choice does not need."""
    network, _ = NETWORKS["branches"]()
    folder = convert(network, tmp_path / "out", to="pytorch").folder
    for branch in ("fast.weight", "slow.weight"):
        other = network.with_weights({branch: network.weights[branch] + np.float32(0.01)})
        with pytest.raises(UnsupportedError, match="differs by"):
            prove(other, folder, proof_script("pytorch"))


def test_every_operator_has_an_entry():
    names = [piece.name for piece in entries().values()]
    assert entries().keys() == OPERATORS.keys()
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("framework", PRIMITIVES)
def test_all_operators_together_are_sound_source(framework, tmp_path):
    """No name is missing or unused, and nothing of Allotrope is imported.

    The classes have what their functions ask for.
    """
    every = frozenset(entries())
    text = Written(framework, Carried(framework, every, every)).text
    (tmp_path / "operators.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "F,E9,B,UP",
        str(tmp_path / "operators.py"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    modules = [
        node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)
    ]
    assert not any(module.startswith("allotrope") for module in modules)


def test_only_what_is_used_is_carried_along():
    text = Written("PyTorch", Carried("pytorch", frozenset({"Softsign"}), frozenset())).text
    assert "def softsign(" in text
    assert "def resize(" not in text
    assert "def convolution(" not in text


def test_a_definition_whose_name_is_taken_gets_another():
    """`softmax` is an operator, and a function of JAX's primitives."""
    written = Written("JAX", Carried("jax", frozenset({"Softmax"}), frozenset()))
    functions = [
        node.name for node in ast.parse(written.text).body if isinstance(node, ast.FunctionDef)
    ]
    assert len(set(functions)) == len(functions)
    assert written.functions["Softmax"] == "softmax"


def test_a_weight_that_two_nodes_use_in_different_ways_stands_by_itself(target, tmp_path):
    b = Builder()
    w = b.weight(
        "conv.weight", np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    )
    y = b.add("Conv", [b.input("x", "float32", ("n", 3, 8, 8)), w], {"pads": (1, 1, 1, 1)})
    b.output(b.add("Mul", [y, b.add("ReduceMax", [w], {"keepdims": 0})]), "y")
    network = b.network()
    x = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(
        converted.opened(network, target, tmp_path)([x])[0],
        network.run({"x": x})["y"],
        rtol=1e-4,
        atol=1e-5,
    )
