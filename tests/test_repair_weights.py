"""What learns after repair.

Weights in constants or behind other forms, the preprocessing, batch normalization.
"""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper, numpy_helper

import allotrope
from allotrope.config import Repair
from onnx_models import node, tensor
from repaired import IMAGE, KERNEL, PIXELS, F, X, of, same

DENSE = np.random.default_rng(2).standard_normal((24, 10)).astype(F)


def constant(name, array):
    return helper.make_node(
        "Constant", [], [name], value=numpy_helper.from_array(np.asarray(array), name)
    )


def test_weights_in_constant_nodes():
    made = of([constant("w", DENSE), node("Flatten", "x", "f"), node("MatMul", "f w", "y")], {})
    mended, lines = same(made, X)
    assert mended.trainable == {"w"}
    assert lines == [
        "repair: 1 weights found in Constant nodes, 0 behind Identity, Transpose or the like"
    ]
    assert not allotrope.load(made, repair=Repair.without(["weights"])).weights


@pytest.mark.parametrize(
    "between", [node("Transpose", "t", "w", perm=[1, 0]), node("Identity", "t", "w")]
)
def test_weights_behind_other_forms_of_themselves(between):
    array = DENSE.T if between.op_type == "Transpose" else DENSE
    made = of([between, node("Flatten", "x", "f"), node("MatMul", "f w", "y")], {"t": array})
    mended, lines = same(made, X)
    assert mended.trainable == {"t"}
    assert lines == [
        "repair: 0 weights found in Constant nodes, 1 behind Identity, Transpose or the like"
    ]
    assert not allotrope.load(made, repair=Repair.without(["weights"])).trainable


def test_hidden_weights_stay_weights_in_a_file_that_is_read_without_repair(tmp_path):
    made = of(
        [
            node("Transpose", "t", "w", perm=[1, 0]),
            node("Flatten", "x", "f"),
            node("MatMul", "f w", "y"),
        ],
        {"t": DENSE.T},
    )
    allotrope.load(made).save(tmp_path / "a.onnx")
    assert allotrope.load(tmp_path / "a.onnx", repair=False).trainable == {"t"}


# --- the ends of a network

MEAN, SCALE = np.array([[[1]], [[2]], [[3]]], F), np.array([[[0.1]], [[0.2]], [[0.3]]], F)


def prepared(*after):
    return of(
        [node("Sub", "x mean", "a"), node("Mul", "a scale", "p"), node("Conv", "p w", "c"), *after],
        {**KERNEL, "mean": MEAN, "scale": SCALE},
        IMAGE,
    )


def test_what_prepares_the_input_does_not_learn():
    made = prepared(node("Identity", "c", "y"))
    mended, lines = same(made, PIXELS)
    assert mended.trainable == {"w"} and mended.graph.constants.keys() == {"mean", "scale"}
    assert lines == [
        "repair: mean, scale prepare the input before the network begins: constants, which do not "
        "learn"
    ]
    assert allotrope.load(made, repair=Repair.without(["preprocessing"])).trainable == {
        "w",
        "mean",
        "scale",
    }


def test_a_scale_inside_the_network_learns():
    inner = of(
        [node("Conv", "x w", "c"), node("Mul", "c scale", "y")], {**KERNEL, "scale": SCALE}, IMAGE
    )
    assert allotrope.load(inner).trainable == {"w", "scale"}


def test_an_array_that_the_network_uses_too_learns():
    assert allotrope.load(prepared(node("Mul", "c scale", "y"))).trainable == {"w", "scale"}


def test_an_embedding_of_positions_learns():
    made = of(
        [node("Add", "x p", "a"), node("MatMul", "a w", "y")],
        {"p": np.ones((1, 4, 6), F), "w": np.ones((6, 2), F)},
    )
    assert allotrope.load(made).trainable == {"p", "w"}


def test_a_network_that_learns_its_first_scale_does_so_after_it_was_saved(tmp_path):
    network = allotrope.load(
        prepared(node("Identity", "c", "y")), repair=Repair.without(["preprocessing"])
    )
    network.save(tmp_path / "a.onnx")
    assert (
        allotrope.load(tmp_path / "a.onnx").trainable == network.trainable == {"w", "mean", "scale"}
    )


# --- BatchNormalization

STATISTICS = {
    "s": np.array([1, 2, 3], F),
    "b": np.zeros(3, F),
    "m": np.array([1, 0, -1], F),
    "v": np.array([1, 4, 9], F),
}


def test_a_batch_normalization_in_training_mode_learns_and_infers():
    made = of(
        [node("BatchNormalization", "x s b m v", "y rm rv", training_mode=1)], STATISTICS, IMAGE
    )
    lines = []
    network = allotrope.load(made, report=lines.append)
    (norm,) = network.graph.nodes
    assert not norm.attributes.get("training_mode") and norm.outputs == ("y",)
    assert network.trainable == {"s", "b"} and network.weights.keys() == {"s", "b", "m", "v"}
    assert lines == [
        "repair: BatchNormalization 'y' written in training mode; in inference it uses its "
        "running statistics now"
    ]
    expected = (PIXELS - STATISTICS["m"].reshape(3, 1, 1)) / np.sqrt(
        STATISTICS["v"].reshape(3, 1, 1) + 1e-5
    )
    np.testing.assert_allclose(
        network.run({"x": PIXELS})["y"],
        expected * STATISTICS["s"].reshape(3, 1, 1),
        rtol=1e-5,
        atol=1e-5,
    )
    assert (
        allotrope.load(made, repair=Repair.without(["batch-normalization"]))
        .graph.nodes[0]
        .attributes["training_mode"]
        == 1
    )


def test_a_batch_normalization_whose_statistics_are_used_stays_in_training_mode():
    made = of(
        [
            node("BatchNormalization", "x s b m v", "y rm rv", training_mode=1),
            node("Neg", "rm", "k"),
        ],
        STATISTICS,
        IMAGE,
        [tensor("y", shape=None), tensor("k", shape=None)],
    )
    assert allotrope.load(made).graph.nodes[0].attributes["training_mode"] == 1


def test_running_statistics_that_two_share_become_their_own():
    twice = [
        node("BatchNormalization", "x s b m v", "a"),
        node("BatchNormalization", "a s2 b m v", "y"),
    ]
    made = of(twice, {**STATISTICS, "s2": np.ones(3, F)}, IMAGE)
    mended, lines = same(made, PIXELS)
    state = [name for n in mended.graph.nodes for name in n.inputs[3:]]
    assert len(set(state)) == 4 and mended.weights.keys() - mended.trainable == set(state)
    assert any("shared running statistics" in line for line in lines)


def test_a_batch_normalization_whose_mean_is_also_a_bias_keeps_them_apart():
    zeros = {"s": np.ones(3, F), "z": np.zeros(3, F), "v": np.ones(3, F)}
    mended, _ = same(of([node("BatchNormalization", "x s z z v", "y")], zeros, IMAGE), PIXELS)
    assert mended.trainable == {"s", "z"} and len(mended.weights) == 4
