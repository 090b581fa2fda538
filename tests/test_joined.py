"""Trunks side by side, and heads behind them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from allotrope.errors import UnsupportedError, UsageError
from allotrope.network.build import Builder
from allotrope.network.rewriting.joined import joined, trunk_of, with_heads
from allotrope.network.zoo import cnn, resnet8, whitened_cnn

IMAGE = (3, 10, 10)
X = np.random.default_rng(0).standard_normal((4, *IMAGE)).astype(np.float32)


def last_layer(network):
    return next(node for node in reversed(network.graph.nodes) if node.operator == "Gemm")


@pytest.mark.parametrize("build", [cnn, resnet8, whitened_cnn])
def test_a_head_on_a_trunk_is_the_whole_again(build):
    whole = build(5, IMAGE, seed=1)
    trunk = trunk_of(whole)
    last = last_layer(whole)
    assert last.inputs[1] not in trunk.network.weights
    again = with_heads(trunk, {"label": 5}, seed=2)
    weights = {"head.label.weight": whole.weights[last.inputs[1]]}
    if len(last.inputs) > 2:
        weights["head.label.bias"] = whole.weights[last.inputs[2]]
    answers = again.with_weights(weights).run({"x": X})["label"]
    np.testing.assert_allclose(answers, whole.run({"x": X})["logits"], rtol=1e-5, atol=1e-6)
    assert again.trainable >= {"head.label.weight", "head.label.bias"}
    onnx.checker.check_model(again.to_onnx(), full_check=True)


def test_trunks_stand_side_by_side_and_see_only_their_own_input():
    trunks = {"front": trunk_of(cnn(2, IMAGE)), "side": trunk_of(resnet8(2, IMAGE))}
    pair = joined(trunks)
    network = with_heads(pair, {"kind": 3, "age": 1}, seed=0, hidden=16)
    assert [value.name for value in network.inputs] == ["front", "side"]
    assert [(value.name, value.shape) for value in network.outputs] == [
        ("kind", ("n", 3)),
        ("age", ("n", 1)),
    ]
    features = pair.network.run({"front": X, "side": X})["features"]
    apart = [trunk.network.run({"x": X})["features"] for trunk in trunks.values()]
    np.testing.assert_allclose(features, np.concatenate(apart, 1), rtol=1e-5, atol=1e-6)
    assert pair.size == features.shape[1] == sum(trunk.size for trunk in trunks.values())
    assert all(name.startswith(("front.", "side.")) for name in pair.network.weights)
    onnx.checker.check_model(network.to_onnx(), full_check=True)


def test_one_trunk_keeps_its_names():
    trunk = trunk_of(cnn(2, IMAGE))
    alone = joined({"image": trunk})
    assert alone.network.weights.keys() == trunk.network.weights.keys()
    assert [value.name for value in alone.network.inputs] == ["image"]


def test_a_task_may_not_have_the_name_of_something_else():
    with pytest.raises(UsageError, match="a task cannot be called 'x'"):
        with_heads(trunk_of(cnn(2, IMAGE)), {"x": 2}, seed=0)


def test_a_network_without_a_last_layer_has_no_trunk():
    builder = Builder()
    builder.output(builder.add("Relu", [builder.input("x", "float32", ("n", 3))]))
    with pytest.raises(UnsupportedError, match="no last layer behind a row of features"):
        trunk_of(builder.network())
