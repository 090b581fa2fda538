"""Statistics of BatchNormalization estimated anew: what NumPy says they are, in each framework."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.frameworks import framework as find_framework
from allotrope.network import zoo
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.training.batch_statistics import with_new_statistics
from planned import of_digits


@pytest.fixture(scope="module")
def network():
    return of_digits(zoo.cnn(10, (1, 8, 8), channels=(4, 6), hidden=(), normalization="batch"))


@pytest.fixture(scope="module")
def batches(digits):
    return [{"image": digits.train["image"][at : at + 16]} for at in (0, 16, 32)]


def normalizations(network):
    return [node for node in network.graph.nodes if node.operator == "BatchNormalization"]


def taken_by(network, node, inputs):
    """What a normalization takes, if all before it see the statistics of the batch."""
    rewriter = Rewriter(network.graph, network.weights)
    known = rewriter.known(node.inputs[0])
    rewriter.give(known)
    probed = rewriter.applied_to(network)
    return find_framework("reference").run(probed, inputs, training=True)[known.name]


def test_they_are_averages_over_the_batches(network, batches, framework):
    changed = with_new_statistics(network, batches, framework)
    assert len(normalizations(network)) == 2
    for node in normalizations(network):
        taken = [taken_by(network, node, inputs).astype(np.float64) for inputs in batches]
        mean = np.mean([x.mean((0, 2, 3)) for x in taken], 0)
        variance = np.mean([x.var((0, 2, 3)) for x in taken], 0)
        np.testing.assert_allclose(changed.weights[node.inputs[3]], mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(changed.weights[node.inputs[4]], variance, rtol=1e-4)


def test_nothing_else_changes(network, batches):
    changed = with_new_statistics(network, batches, "reference")
    statistics = {name for node in normalizations(network) for name in node.inputs[3:5]}
    assert changed.graph == network.graph and changed.trainable == network.trainable
    for name, array in network.weights.items():
        assert np.array_equal(changed.weights[name], array) == (name not in statistics)


def test_answers_come_near_what_a_batch_of_its_own_gives(network, batches):
    """The statistics of an untrained network are those of nothing: 0 and 1."""
    run = find_framework("pytorch").run
    by_batch = run(network, batches[0], training=True)["label"]

    def apart(network):
        return np.abs(run(network, batches[0])["label"] - by_batch).max()

    assert apart(with_new_statistics(network, batches, "pytorch")) < 0.2 * apart(network)


def test_a_network_without_normalization_stays(batches):
    plain = of_digits(zoo.mlp(10, (1, 8, 8), hidden=(8,)))
    assert with_new_statistics(plain, batches, "pytorch") is plain


def test_without_batches_nothing_is_estimated(network):
    assert with_new_statistics(network, [], "pytorch") is network
