"""The mean of weights: who joins it, and the statistics of its normalization."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.verbs.pipeline import TrainedPlan, trained
from allotrope.verbs.pipeline.ensemble_alone import soup_of
from allotrope.verbs.pipeline.ensemble_values import Member, member_of
from allotrope.verbs.pipeline.planning import Plan, start_of


@pytest.fixture(scope="module")
def learned(digits) -> TrainedPlan:
    start = start_of(choose(digits, "cnn", {"batch_size": 32}, epochs=1))
    return trained(Plan(digits, start, start.recipe, "pytorch", Settings(threads=1), {}))


def moved(learned: TrainedPlan, number: int, by: float) -> Member:
    """The network with noise of one sign or the other in its weights."""
    stream, network = np.random.default_rng(0), learned.network
    weights = {
        name: network.weights[name] + by * stream.normal(size=network.weights[name].shape)
        for name in sorted(network.trainable)
    }
    return member_of(number, replace(learned, network=network.with_weights(weights)), {})


def test_the_mean_of_two_that_err_in_opposite_ways_is_better_than_either(learned, digits):
    members = [moved(learned, 1, 0.06), moved(learned, 2, -0.06)]
    soup = soup_of(members, digits, {})
    assert soup is not None
    truth = digits.test["label"]
    right = [
        np.mean(each.answers["test"]["label"].argmax(axis=1) == truth) for each in (*members, soup)
    ]
    assert right[2] > max(right[:2])
    network = soup.trained.network
    for name in sorted(network.trainable):
        assert np.allclose(network.weights[name], learned.network.weights[name], atol=1e-5), name
    # Estimated anew: neither that of a member nor their mean.
    means = [name for name in network.weights if name.endswith("running_mean")]
    assert means and not np.array_equal(
        network.weights[means[0]], members[0].trained.network.weights[means[0]]
    )


def test_who_spoils_the_mean_is_left_out(learned, digits):
    members = [moved(learned, 1, 0.0), moved(learned, 2, 1.0)]
    assert soup_of(members, digits, {}) is None
