"""Layers as the product of two: equal at full rank, and the nearest of that rank below it."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.reading.read import load
from allotrope.network.summary import multiply_adds, parameters
from allotrope.shrinking.factorize import factorizable, factorized, low_ranks
from allotrope.shrinking.groups import groups
from allotrope.shrinking.prune import pruned
from planned import batch_for, planned
from pruned_networks import random_network
from pruning import inputs_for, stirred
from tested import TESTED

IMAGE = (3, 8, 8)
ZOO = {
    "mlp": lambda: zoo.mlp(4, IMAGE, hidden=(12, 8)),
    "resnet8": lambda: zoo.resnet8(4, IMAGE),
    "mobilenet_v2": lambda: zoo.mobilenet_v2(4, (3, 32, 32), width=0.25),
}


def at_full_rank(network):
    """Every layer that can be taken apart, at the rank at which nothing is lost."""
    return {weight: layer.full_rank for weight, layer in factorizable(network).items()}


def far(network, result, inputs):
    """How far the outputs part, by the largest one."""
    expected, outputs = network.run(inputs), result.run(inputs)
    return max(
        np.abs(outputs[name] - array).max() / max(1.0, np.abs(array).max())
        for name, array in expected.items()
    )


def test_random_networks_answer_as_before_at_full_rank():
    layers = 0
    for seed in range(150):
        network, random = random_network(seed), np.random.default_rng(seed)
        ranks = at_full_rank(network)
        result = factorized(network, ranks)
        layers += len(ranks)
        assert far(network, result, inputs_for(network, random)) <= 1e-5, seed
    assert layers > 150


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_answers_as_before_at_full_rank(name, tmp_path):
    random = np.random.default_rng(1)
    network = stirred(ZOO[name](), random)
    ranks = at_full_rank(network)
    assert ranks
    result = factorized(network, ranks)
    assert far(network, result, inputs_for(network, random)) <= 1e-5
    result.save(tmp_path / "network.onnx")
    again = load(tmp_path / "network.onnx")
    assert again.weights.keys() == result.weights.keys()
    assert again.trainable == result.trainable
    assert not ranks.keys() & result.weights.keys()


def dense(matrix, **attributes):
    b = Builder("dense")
    x = b.input("x", np.float32, ("n", matrix.shape[1]))
    taken = matrix if attributes.get("transB") else matrix.T
    w = b.weight("w", np.ascontiguousarray(taken, np.float32))
    c = b.weight("c", np.arange(len(matrix), dtype=np.float32))
    b.output(b.add("Gemm", [x, w, c], attributes), "y")
    return b.network()


@pytest.mark.parametrize(
    "attributes", [{}, {"transB": 1}, {"transB": 1, "alpha": 2.0, "beta": 3.0}]
)
def test_a_low_rank_is_the_nearest_matrix_of_it(attributes):
    random = np.random.default_rng(2)
    matrix = random.normal(size=(12, 20))
    network = dense(matrix, **attributes)
    result = factorized(network, {"w": 5})
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    nearest = dense((u[:, :5] * s[:5]) @ v[:5], **attributes)
    assert far(nearest, result, inputs_for(network, random)) <= 1e-5
    # The comparison would see another rank.
    assert far(nearest, factorized(network, {"w": 6}), inputs_for(network, random)) > 1e-2
    shapes = [result.weights[name].shape for name in ("w_reduce", "w_expand")]
    assert sorted(shapes[0]) == [5, 20]
    assert sorted(shapes[1]) == [5, 12]


def test_a_transposed_input_is_transposed_once():
    b = Builder()
    x = b.input("x", np.float32, (6, 4))
    w = b.weight("w", np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32))
    b.output(b.add("Gemm", [x, w], {"transA": 1}), "y")
    network = b.network()
    inputs = inputs_for(network, np.random.default_rng(0))
    assert far(network, factorized(network, {"w": 5}), inputs) <= 1e-5


def test_strides_and_padding_of_a_convolution_are_those_of_the_first():
    random = np.random.default_rng(3)
    b = Builder()
    x = b.input("x", np.float32, ("n", 6, 9, 9))
    w = b.weight("w", random.normal(size=(8, 6, 1, 1)).astype(np.float32))
    c = b.weight("c", random.normal(size=8).astype(np.float32))
    conv = b.add("Conv", [x, w, c], {"strides": (2, 2), "pads": (1, 0, 2, 1)}, name="conv")
    b.output(conv, "y")
    network = b.network()
    result = factorized(network, {"w": 6})
    assert far(network, result, inputs_for(network, random)) <= 1e-5
    assert [node.label for node in result.graph.nodes] == ["conv_reduce", "conv_expand"]


def test_only_dense_and_single_place_layers_of_one_node_can_be_taken_apart():
    b = Builder()
    x = b.input("x", np.float32, ("n", 4, 4, 4))
    weights = {
        "wide": (4, 4, 3, 3),
        "grouped": (4, 2, 1, 1),
        "tied": (4, 4, 1, 1),
        "single": (4, 4, 1, 1),
    }
    names = {n: b.weight(n, np.ones(shape, np.float32)) for n, shape in weights.items()}
    frozen = b.weight("frozen", np.ones((4, 4), np.float32), trainable=False)
    constant = b.constant(np.ones((4, 4), np.float32))
    x = b.add("Conv", [x, names["wide"]], {"pads": (1, 1, 1, 1)})
    x = b.add("Conv", [x, names["grouped"]], {"group": 2})
    for name in ("tied", "tied", "single"):
        x = b.add("Conv", [x, names[name]])
    b.output(b.add("MatMul", [b.add("MatMul", [x, frozen]), constant]), "y")
    network = b.network()
    assert factorizable(network).keys() == {"single", "frozen"}
    result = factorized(network, {"frozen": 2, "single": 1})
    assert result.trainable == {"wide", "grouped", "tied", "single_reduce", "single_expand"}


def test_ranks_are_chosen_by_energy_and_time():
    """One layer is of low rank, one is not, and of one the network would not be faster."""
    random = np.random.default_rng(4)
    b = Builder()
    x = b.input("x", np.float32, ("n", 64))
    low = random.normal(size=(64, 10)) @ random.normal(size=(10, 96))
    full = np.linalg.qr(random.normal(size=(96, 96)))[0]
    for name, matrix in (("low", low), ("full", full), ("slow", low.T)):
        x = b.add("MatMul", [x, b.weight(name, matrix.astype(np.float32))])
    b.output(x, "y")
    network = b.network()

    def seconds(some):
        return 1e-9 * multiply_adds(some) + 5e-6 * ("slow" not in some.weights)

    chosen = low_ranks(network, seconds, energy=0.999)
    assert chosen.keys() == {"low"}
    assert chosen["low"].rank == 16
    assert chosen["low"].full_rank == 64
    assert chosen["low"].energy == pytest.approx(1)
    result = factorized(network, {name: each.rank for name, each in chosen.items()})
    assert parameters(result) < parameters(network)
    saved = seconds(network) - seconds(result)
    assert chosen["low"].saved == pytest.approx(saved)
    assert low_ranks(network, lambda some: 1.0) == {}


def test_layers_of_low_rank_can_be_cut_again():
    network = factorized(zoo.mlp(4, IMAGE, hidden=(24, 16)), {"fc2.weight": 8})
    known = groups(network)
    inner = [each for each in known.alike() if ("fc2.weight_expand", 1) in each[0].axes]
    assert [len(each) for each in inner] == [8]
    smaller = pruned(network, [inner[0][0].number], known)
    assert 7 in smaller.weights["fc2.weight_reduce"].shape


def test_unknown_layers_and_ranks_are_refused_together():
    network = dense(np.ones((3, 4)))
    with pytest.raises(UsageError, match=r"'v' are weights of no layer.*rank 4 of 'w' .* 1 and 3"):
        factorized(network, {"w": 4, "v": 1})
    with pytest.raises(UsageError, match="rank 0"):
        factorized(network, {"w": 0})
    with pytest.raises(UsageError, match=r"energy 1\.5"):
        low_ranks(network, lambda some: 1.0, energy=1.5)


def test_a_weight_of_zeros_has_a_rank():
    network = dense(np.zeros((30, 40)))
    chosen = low_ranks(network, lambda some: float(multiply_adds(some)))
    assert chosen["w"].rank == 8
    assert far(network, factorized(network, {"w": 8}), {"x": np.ones((2, 40), np.float32)}) == 0


@pytest.mark.parametrize("name", TESTED)
def test_frameworks_train_layers_of_low_rank(name):
    network = zoo.mlp(4, (1, 5, 5), hidden=(16,), normalization="none")
    result = factorized(network, {"fc1.weight": 4})
    random = np.random.default_rng(2)
    x = random.normal(size=(12, 1, 5, 5)).astype(np.float32)
    targets = np.eye(4, dtype=np.float32)[np.arange(12) % 4]
    plan = planned(result, Recipe(average=None), np.full(4, 3))
    trainer = find_framework(name).trainer(result, plan, Settings())
    batch = batch_for(result, x, targets)
    losses = [float(trainer.step(batch, 0.1, step)) for step in range(1, 9)]
    assert losses[-1] < losses[0]
    for weight in ("fc1.weight_reduce", "fc1.weight_expand"):
        assert np.abs(trainer.weights()[weight] - result.weights[weight]).max() > 1e-4
