"""What is dropped beside single features: what of it, by how much, and never in inference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find
from allotrope.network import zoo
from allotrope.network.rewriting.dropping import Dropping, with_dropping
from allotrope.optimizer_options import OPTIMIZERS
from allotrope.tasks import Classification, Regression
from allotrope.tasks.agreeing_halves import agreeing_loss, doubled
from allotrope.tasks.several import joint_loss
from allotrope.training.optimizers import optimizer_of
from planned import batch_for, planned
from tested import TESTED

X = np.random.default_rng(0).standard_normal((16, 3, 16, 16), dtype=np.float32)


def network():
    return zoo.resnet8(4, (3, 16, 16), width=0.5)


def shown(name, dropping):
    """A network that gives the values of these names."""
    changed = with_dropping(network(), dropping)
    values = {value.name: value for value in changed.graph.outputs} | dict(changed.graph.values)
    made = [n.outputs[0] for n in changed.graph.nodes if n.outputs[0].endswith(name)]
    return changed.changed(graph=replace(changed.graph, outputs=tuple(values[n] for n in made)))


def in_training(network):
    return find("pytorch").run(network, {"x": X}, training=True)


def test_nothing_is_dropped_in_inference(framework):
    plain = network()
    changed = with_dropping(plain, Dropping(channels=0.3, blocks=0.2, branches=0.5))
    assert list(changed.weights) == list(plain.weights)
    answers = changed.run({"x": X}, framework)["logits"]
    np.testing.assert_allclose(answers, plain.run({"x": X}, framework)["logits"], 1e-5, 1e-6)


def test_channels_are_dropped_whole_and_the_rest_raised():
    masks = in_training(shown("channels.mask", Dropping(channels=0.3)))
    assert len(masks) == 6  # what convolutions take, two of them in front of each shortcut
    for mask in masks.values():
        assert mask.shape[2:] == (1, 1) and set(np.unique(mask)) <= {0, np.float32(1 / 0.7)}
    drawn = np.concatenate([mask.ravel() for mask in masks.values()])
    assert np.mean(drawn == 0) == pytest.approx(0.3, abs=0.06)


def test_branches_are_dropped_for_examples_more_of_them_later():
    masks = in_training(shown("branches.mask", Dropping(branches=0.6)))
    assert [np.unique(mask).max() for mask in masks.values()] == pytest.approx(
        [1 / 0.8, 1 / 0.6, 1 / 0.4]
    )
    assert all(mask.shape == (16, 1, 1, 1) for mask in masks.values())


def test_blocks_are_squares_and_the_sum_stays():
    masks = in_training(shown("blocks.mask", Dropping(blocks=0.3)))
    first = next(iter(masks.values()))
    assert first.shape[2:] == (16, 16)
    assert first.mean() == pytest.approx(1.0, rel=1e-4)
    assert np.mean(first == 0) == pytest.approx(0.24, abs=0.06)
    gone = first[0, 0] == 0
    rows, columns = np.nonzero(gone)
    assert len(rows) == 0 or gone[rows[0], columns[0] : columns[0] + 3].all()


def test_weights_of_dense_layers_but_the_last_are_dropped():
    changed = with_dropping(zoo.mlp(4, (3, 4, 4), hidden=(8, 6)), Dropping(weights=0.4))
    dropped = [node.inputs[0] for node in changed.graph.nodes if node.operator == "Dropout"]
    assert dropped == ["fc1.weight", "fc2.weight"]


def test_a_network_without_a_place_says_so():
    with pytest.raises(UsageError, match="no branches to drop and no branch beside a shortcut"):
        with_dropping(zoo.cnn(4, (3, 16, 16)), Dropping(branches=0.5))
    with pytest.raises(UsageError, match=r"no channels to drop .*; no blocks to drop"):
        with_dropping(zoo.mlp(4, (3, 16, 16)), Dropping(channels=0.5, blocks=0.1))


def losses(name, network, plan, batch):
    trainer = find(name).trainer(network, plan, Settings())
    return [float(trainer.step(batch, 0.01, step)) for step in range(1, 4)]


@pytest.mark.parametrize("framework", [name for name in TESTED if name != "pytorch"])
def test_frameworks_drop_the_same(framework):
    plain = zoo.resnet8(4, (3, 8, 8), width=0.25)
    changed = with_dropping(plain, Dropping(channels=0.3, blocks=0.2, branches=0.5))
    plan = planned(plain, Recipe(epochs=1, l1=1e-3, max_norm=1.0), np.ones(4))
    batch = batch_for(plain, X[:8, :, :8, :8], np.eye(4, dtype=np.float32)[np.arange(8) % 4])
    expected = losses("pytorch", changed, plan, batch)
    np.testing.assert_allclose(losses(framework, changed, plan, batch), expected, rtol=2e-4)
    assert losses("pytorch", plain, plan, batch) != expected


# --- what acts on weights


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_rows_stay_within_their_bound(optimizer):
    from allotrope.frameworks.reference.primitives import ReferencePrimitives

    p, rng = ReferencePrimitives(), np.random.default_rng(1)
    rule = optimizer_of(Recipe(optimizer=optimizer, max_norm=0.5))
    weight = rng.standard_normal((4, 6))
    slots = rule.slots(p, weight)
    weight, _ = rule.update(p, weight, rng.standard_normal((4, 6)), slots, 0.1, 0.0, 1)
    assert np.linalg.norm(weight, axis=1) == pytest.approx(0.5)
    vector = rng.standard_normal(3) * 9
    after, _ = rule.update(p, vector, np.zeros(3), rule.slots(p, vector), 0.0, 0.0, 1)
    np.testing.assert_allclose(after, vector)


def test_l1_pulls_weights_of_layers_toward_0():
    from allotrope.frameworks.reference.primitives import ReferencePrimitives

    p, rule = ReferencePrimitives(), optimizer_of(Recipe(optimizer="sgd", l1=0.2))
    weight = np.array([[1.0, -2.0], [0.0, 3.0]])
    after, _ = rule.update(p, weight, np.zeros((2, 2)), {}, 0.5, 0.0, 1)
    np.testing.assert_allclose(after, [[0.9, -1.9], [0.0, 2.9]])
    bias, _ = rule.update(p, weight[0], np.zeros(2), {}, 0.5, 0.0, 1)
    np.testing.assert_array_equal(bias, weight[0])


# --- halves that agree


def test_halves_are_to_agree():
    from allotrope.frameworks.reference.primitives import ReferencePrimitives

    p, rng = ReferencePrimitives(), np.random.default_rng(2)
    task = Classification(name="y", classes=("a", "b", "c"))
    logits, target = rng.standard_normal((8, 3)), np.eye(3)[np.arange(8) % 3]
    plain, agreeing = joint_loss([task]), agreeing_loss(joint_loss([task]), [task], 2.0)
    a, b = (np.exp(part) / np.exp(part).sum(1, keepdims=True) for part in np.split(logits, 2))
    divergence = (a * np.log(a / b)).sum(1).mean() + (b * np.log(b / a)).sum(1).mean()
    arguments = {"y": logits}, {"y": target}, {}
    expected = float(plain(p, *arguments)) + 2.0 * divergence / 2
    assert float(agreeing(p, *arguments)) == pytest.approx(expected, rel=1e-10)
    odd = {"y": logits[:7]}, {"y": target[:7]}, {}
    assert np.isfinite(float(agreeing(p, *odd)))
    with pytest.raises(UsageError, match=r"r_drop compares probabilities .* 'age' \(regression\)"):
        agreeing_loss(plain, [Regression(name="age")], 1.0)


def test_a_doubled_batch_has_each_example_again():
    batch = doubled(batch_for(network(), X[:2], np.eye(4, dtype=np.float32)[:2]))
    assert len(batch) == 4
    np.testing.assert_array_equal(batch.inputs["x"][2:], X[:2])
