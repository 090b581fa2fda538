"""ONNX's Attention in targets that have no function of its meaning.

It is spelled out if it is plain; else its body is ONNX's own.
"""

import numpy as np
import pytest
from onnx import TensorProto

import allotrope
from allotrope.conversion.core.attention import spelled_out
from converted import opened
from onnx_models import model, node, tensor
from repaired import operators
from tested import TESTED

SHAPES = {"q": (2, 3, 4, 8), "k": (2, 3, 6, 8), "v": (2, 3, 6, 5)}
RNG = np.random.default_rng(0)
SEEN = np.array(
    [[1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1]], bool
)
PLAIN = {
    "plain": ({}, {}),
    "scale": ({"scale": 0.3}, {}),
    "scale of 0": ({"scale": 0.0}, {}),
    "causal": ({"is_causal": 1}, {}),
    "added": ({}, {"mask": RNG.standard_normal((2, 1, 4, 6)).astype(np.float32)}),
    "seen, one query nothing": ({}, {"mask": SEEN}),
}
OTHER = {
    "soft cap": ({"softcap": 2.0}, {}),
    "window": ({"left_window_size": 1}, {}),
    "causal and masked": ({"is_causal": 1}, {"mask": SEEN}),
}


def network(attributes, arrays, free=False):
    shapes = {name: ("n", *shape[1:]) if free else shape for name, shape in SHAPES.items()} | {
        n: a.shape for n, a in arrays.items()
    }
    types = {name: TensorProto.BOOL for name, array in arrays.items() if array.dtype == bool}
    inputs = [
        tensor(name, types.get(name, TensorProto.FLOAT), shape=shape)
        for name, shape in shapes.items()
    ]
    made = model([node("Attention", " ".join(shapes), "y", **attributes)], inputs, opset=25)
    return allotrope.load(made), {
        n: RNG.standard_normal(s).astype(np.float32) for n, s in SHAPES.items()
    } | arrays


@pytest.mark.parametrize("case", PLAIN)
def test_it_means_the_same_without_the_node(case):
    whole, values = network(*PLAIN[case])
    spelled = spelled_out(whole)
    assert "Attention" in operators(whole)
    assert "Attention" not in operators(spelled)
    assert "Softmax" in operators(spelled)
    np.testing.assert_allclose(
        spelled.run(values, "reference")["y"],
        whole.run(values, "reference")["y"],
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("case", OTHER)
def test_what_is_not_plain_stays(case):
    whole, _ = network(*OTHER[case])
    assert operators(spelled_out(whole)) == ["Attention"]


def test_groups_of_heads_stay():
    inputs = [
        tensor("q", shape=(2, 4, 4, 8)),
        tensor("k", shape=(2, 2, 6, 8)),
        tensor("v", shape=(2, 2, 6, 8)),
    ]
    loaded = allotrope.load(model([node("Attention", "q k v", "y")], inputs, opset=25))
    assert operators(spelled_out(loaded)) == ["Attention"]


def test_a_network_without_it_is_the_same_object():
    loaded = allotrope.load(model([node("Relu", "q", "y")], [tensor("q", shape=(2, 3))]))
    assert spelled_out(loaded) is loaded


@pytest.mark.parametrize("target", [name for name in TESTED if name == "jax"])
def test_what_is_not_plain_is_carried_along(tmp_path, target):
    attention, values = network(*OTHER["soft cap"], free=True)
    run = opened(attention, target, tmp_path)
    assert "operators.attention(" in (tmp_path / "model.py").read_text()
    np.testing.assert_allclose(
        run([values[v.name] for v in attention.inputs])[0],
        attention.run(values, "reference")["y"],
        rtol=1e-4,
        atol=1e-5,
    )
