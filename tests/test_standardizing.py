"""Standardized filters: the same by nodes in every framework and by arrays, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import UsageError
from allotrope.frameworks.widening import widened
from allotrope.network import zoo
from allotrope.network.rewriting.standardizing import (
    filters,
    standardized,
    with_standardized_filters,
)
from allotrope.training.loop import train
from planned import of_digits
from tested import TESTED

X = np.random.default_rng(0).standard_normal((4, 3, 8, 8))


def test_nodes_and_arrays_standardize_alike(framework):
    plain = widened(zoo.cnn(4, (3, 8, 8), channels=(8, 8), normalization="group"))
    names = filters(plain)
    own = standardized(plain, dict(plain.weights))
    for name in names:
        rows = own[name].reshape(len(own[name]), -1)
        np.testing.assert_allclose(rows.mean(axis=1), 0, atol=1e-12)
        np.testing.assert_allclose(rows.std(axis=1), 1, rtol=1e-6)
    assert len(names) == 2 and all(own[name] is plain.weights[name] for name in own.keys() - names)
    formed = with_standardized_filters(plain)
    expected = plain.with_weights(own).run({"x": X})["logits"]
    np.testing.assert_allclose(formed.run({"x": X}, framework)["logits"], expected, atol=1e-10)


@pytest.mark.parametrize("framework", TESTED)
def test_what_is_delivered_answers_as_it_was_validated(digits, framework):
    network = of_digits(zoo.cnn(10, (1, 8, 8), channels=(8,), hidden=(16,), normalization="batch"))
    recipe = Recipe(
        learning_rate=0.1, epochs=1, augmentation="none", weight_standardization=True, swa=True
    )
    trained = train(network, digits, recipe, Settings(), framework)
    (name,) = filters(network)
    rows = trained.network.weights[name].reshape(8, -1)
    np.testing.assert_allclose(rows.std(axis=1), 1, rtol=1e-3)
    logits = trained.network.run({"image": digits.validation["image"]})["label"]
    accuracy = np.mean(logits.argmax(axis=1) == digits.validation["label"])
    assert accuracy == pytest.approx(trained.best["validation_accuracy"], abs=0.01)
    assert accuracy > 0.3 and len(trained.history) == 2


def test_what_has_nothing_to_standardize_is_refused(digits):
    for network, reason in (
        (zoo.mlp(4, (3, 8, 8)), "no convolution"),
        (zoo.cnn(4, (3, 8, 8), channels=(8,), normalization="none"), "--normalization group"),
    ):
        with pytest.raises(UsageError, match=reason):
            with_standardized_filters(network)
    recipe = replace(Recipe(), epochs=1, weight_standardization=True)
    with pytest.raises(UsageError, match="no convolution"):
        train(of_digits(zoo.mlp(10, (1, 8, 8))), digits, recipe, Settings())
