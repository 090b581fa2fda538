"""The network for tables: pieces of numbers, members with a loss each, all frameworks alike."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.architectures.choose import choose
from allotrope.config import Recipe, Settings
from allotrope.errors import UsageError
from allotrope.network.zoo.tabular import TableStyle, quantile_edges, table_mlp
from allotrope.tasks import Classification, Regression
from allotrope.tasks.members import without_members
from allotrope.tasks.several import joint_loss
from allotrope.training.loop import train
from tested import TESTED

torch = pytest.importorskip("torch")
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((30, 5)).astype(np.float32)
X[:, 3:] = X[:, 3:] > 0
EDGES = quantile_edges(X[:, :3].T, 8)
STYLE = TableStyle(members=8, hidden=(16, 8))
NETWORK = table_mlp({"price": 1, "city": 3}, 3, 2, EDGES, STYLE, seed=1)


def test_frameworks_answer_as_the_reference(framework):
    expected, answers = NETWORK.run({"x": X}), NETWORK.run({"x": X}, framework)
    assert expected["price"].shape == (30, 1) and expected["city.members"].shape == (30, 24)
    for name, one in expected.items():
        np.testing.assert_allclose(answers[name], one, atol=2e-5)


def test_an_output_is_the_mean_of_its_members_and_is_delivered_alone():
    answers = NETWORK.run({"x": X})
    members = answers["city.members"].reshape(30, 8, 3)
    np.testing.assert_allclose(members.mean(1), answers["city"], atol=1e-6)
    assert np.ptp(members, axis=1).min() > 0
    delivered = without_members(NETWORK)
    assert [value.name for value in delivered.outputs] == ["price", "city"]
    np.testing.assert_array_equal(delivered.run({"x": X})["city"], answers["city"])


def test_each_member_has_a_loss_of_its_own():
    from allotrope.frameworks.reference.primitives import ReferencePrimitives

    recipe, labels = Recipe(), {"price": X[:, 0].astype(float), "city": np.arange(30) % 3}
    tasks = [
        task.trained_by(recipe, labels[task.name])
        for task in (Regression(name="price"), Classification(name="city", classes=("a", "b", "c")))
    ]
    gaps = np.asarray(np.arange(30) % 4 > 0, np.float32)
    targets = {task.name: task.encode(labels[task.name]).targets for task in tasks}
    p, outputs = ReferencePrimitives(), NETWORK.run({"x": X})
    loss = joint_loss(tasks)(p, outputs, targets, {"city": gaps})
    expected = 0.0
    for task in tasks:
        members = outputs[f"{task.name}.members"].reshape(30, 8, -1)
        weight = gaps if task.name == "city" else None
        losses = [task.loss(p, members[:, k], targets[task.name], weight) for k in range(8)]
        expected += np.mean(losses)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_pieces_tell_values_apart():
    few = np.repeat([0, 1, 5], 20).reshape(-1, 1)
    assert quantile_edges(few.T, 8)[0].tolist() == [0, 1, 5]
    assert len(quantile_edges(np.zeros((1, 9)), 8)[0]) == 1
    skewed = np.concatenate([np.zeros(2000), np.arange(1, 1001)]).reshape(-1, 1)
    (edges,) = quantile_edges(skewed.T, 64)
    # Two thirds of the rows are 0: quantiles of rows alone would leave 22 ends to the others.
    assert len(edges) > 40 and np.all(np.diff(edges) > 0)
    with pytest.raises(UsageError, match="above 0"):
        table_mlp({}, 3)


def test_sizes_follow_rows_and_columns():
    def chosen(rows, columns, **options):
        table = {f"x{place}": RANDOM.standard_normal(rows) for place in range(columns)}
        data = allotrope.read({**table, "label": np.arange(rows) % 2}, target="label")
        return choose(data, **options)

    few, many, wide = chosen(200, 3), chosen(5000, 3), chosen(5000, 2000)
    assert few.recipe.batch_size == 32 and many.recipe.batch_size == 128
    assert "3,500 rows" in " ".join(many.reasons) and "are few" in " ".join(few.reasons)
    sizes = [one.network.weights["fc1.weight"].shape[1] for one in (few, many, wide)]
    assert sizes[0] == 3 and 200 < sizes[1] < 400 and sizes[2] == 2000
    with pytest.raises(UsageError, match="takes pictures"):
        chosen(200, 3, network="resnet20")


@pytest.mark.parametrize("other", [name for name in TESTED if name != "pytorch"])
def test_a_table_is_learned_alike_in_every_framework(other):
    """Two epochs end at the loss of PyTorch's, dropout included: masks are shared."""
    random = np.random.default_rng(0)
    columns = {
        "size": random.uniform(1, 9, 160),
        "city": np.array(["Bern", "Rom", ""])[np.arange(160) % 3],
        "label": np.arange(160) % 2,
    }
    data = allotrope.read(columns, target="label")
    choice = choose(data, overrides={"batch_size": 32}, epochs=2)
    how = choice.recipe, Settings()
    losses = [
        train(choice.network, data, *how, name).best["validation_loss"]
        for name in ("pytorch", other)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
