"""Losses over primitives, against NumPy by hand and against PyTorch's own."""

import numpy as np
import pytest

from allotrope.config import Recipe
from allotrope.errors import UsageError
from allotrope.frameworks.pytorch.primitives import PyTorchPrimitives
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.training.losses import class_weights, cross_entropy, loss, mean_squared_error

torch = pytest.importorskip("torch")
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(6, 4)) * 3
TARGET = RANDOM.dirichlet(np.ones(4), size=6)
WEIGHTS = np.array([0.5, 1.0, 1.5, 2.0])


def by_reference(compute):
    return float(compute(ReferencePrimitives(), LOGITS, TARGET))


def by_pytorch(compute):
    return float(compute(PyTorchPrimitives(), torch.from_numpy(LOGITS), torch.from_numpy(TARGET)))


@pytest.mark.parametrize("run", [by_reference, by_pytorch])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_pytorchs(run, smoothing, weights):
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(LOGITS),
        torch.from_numpy(TARGET),
        weight=None if weights is None else torch.from_numpy(weights),
        label_smoothing=smoothing,
    )
    assert run(cross_entropy(smoothing, weights)) == pytest.approx(float(expected), rel=1e-12)


def test_cross_entropy_by_hand():
    logits, target = np.array([[0.0, np.log(3.0)], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    found = cross_entropy()(ReferencePrimitives(), logits, target)
    assert float(found) == pytest.approx((np.log(4.0) + np.log(2.0)) / 2)


@pytest.mark.parametrize("run", [by_reference, by_pytorch])
def test_mean_squared_error_is_of_probabilities(run):
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    smooth = 0.9 * TARGET + 0.1 / 4
    assert run(mean_squared_error()) == pytest.approx(np.mean((probabilities - TARGET) ** 2))
    expected = np.mean(((probabilities - smooth) ** 2).mean(1) * (smooth * WEIGHTS).sum(1))
    assert run(mean_squared_error(0.1, WEIGHTS)) == pytest.approx(expected)


def test_balanced_class_weights_give_each_class_the_same_sum_and_the_data_a_mean_of_one():
    counts = np.array([10, 30, 60, 0])
    weights = class_weights("balanced", counts)
    assert weights * counts == pytest.approx([100 / 3, 100 / 3, 100 / 3, 0])
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1.0)


def test_the_recipe_names_loss_and_weights():
    found = loss(Recipe(class_weights="balanced", label_smoothing=0.1), np.array([1, 2, 3, 4]))
    assert by_pytorch(found) == pytest.approx(by_pytorch(cross_entropy(0.1, class_weights("balanced", np.array([1, 2, 3, 4])))))
    assert by_pytorch(loss(Recipe(loss="mean-squared-error"), np.ones(4))) == pytest.approx(by_pytorch(mean_squared_error()))


@pytest.mark.parametrize(("options", "message"), [({"loss": "cross-entrop"}, "cross-entropy"), ({"class_weights": "balance"}, "balanced")])
def test_unknown_names_suggest_the_nearest(options, message):
    with pytest.raises(UsageError, match=f"Did you mean '{message}'"):
        loss(Recipe(**options), np.ones(4))
