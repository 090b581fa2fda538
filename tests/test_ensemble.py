"""Several networks side by side: their mean, a loss for each, and one file."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data import read_data
from allotrope.data.batches import Batches
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find
from allotrope.network.reading.read import load
from allotrope.network.rewriting.ensemble import ensemble
from allotrope.network.zoo import resnet8
from allotrope.training.plan import plan_for
from quick import fit
from tested import TESTED

RANDOM = np.random.default_rng(0)


def test_the_answer_is_the_mean_and_members_stand_beside_it():
    networks = [resnet8(3, (1, 9, 9), seed=seed) for seed in (1, 2, 3)]
    whole = ensemble(networks)
    x = RANDOM.normal(size=(4, 1, 9, 9)).astype(np.float32)
    own = [network.run({"x": x})["logits"] for network in networks]
    answers = whole.run({"x": x})
    assert np.allclose(answers["logits"], np.mean(own, axis=0), atol=1e-6)
    assert np.allclose(answers["logits.members"], np.concatenate(own, axis=1), atol=1e-6)
    assert [(value.name, value.shape) for value in whole.outputs] == [
        ("logits", ("n", 3)),
        ("logits.members", ("n", 9)),
    ]
    assert len(whole.weights) == 3 * len(networks[0].weights)
    assert len(whole.trainable) == 3 * len(networks[0].trainable)
    assert ensemble(networks[:1]) is networks[0]


@pytest.mark.parametrize("name", TESTED)
def test_each_member_learns_as_it_would_alone(name, digits):
    together = choose(digits, "cnn", {"batch_size": 32, "weight_decay": 0.0}, epochs=1, members=2)
    alone = choose(digits, "cnn", {"batch_size": 32, "weight_decay": 0.0}, epochs=1)
    trained = []
    for choice in (together, alone):
        plan = plan_for(choice.network, choice.recipe, digits.tasks, digits.train.columns)
        trainer = find(name).trainer(choice.network, plan, Settings())
        batches = Batches(digits, choice.recipe)
        for step in range(3):
            trainer.step(batches.batch(0, step), 1e-3, step + 1)
        trained.append(trainer.weights())
    assert "2 networks of this kind learn side by side" in " ".join(together.reasons)
    # Its loss counts half, which Adam's steps do not know but for their epsilon.
    for weight, array in trained[1].items():
        assert np.allclose(trained[0][f"member1.{weight}"], array, atol=3e-4), weight
    second = trained[0]["member2.conv1.weight"]
    assert not np.allclose(trained[0]["member1.conv1.weight"], second, atol=1e-2)


def test_fit_delivers_the_mean_in_one_file(tmp_path):
    labels = np.arange(120) % 2
    x = RANDOM.integers(0, 60, (120, 12, 12)).astype(np.uint8)
    x[labels == 1, 4:8] += 150
    options = {"epochs": 2, "threads": 1, "quiet": True, "out": tmp_path, "max_drop": 100}
    run = fit({"picture": x, "side": labels}, members=2, **options)
    assert run.json["test"]["accuracy"] > 0.9
    network = load(run.folder / "delivered" / "model.onnx")
    assert [value.name for value in network.outputs] == ["side"]
    assert {name.split(".")[0] for name in network.weights} >= {"member1", "member2"}


def test_members_are_refused_if_they_are_not_for_this(tmp_path):
    rows = {"a": RANDOM.normal(size=60), "label": np.arange(60) % 2}
    with pytest.raises(UsageError, match=r"--members 2 is for pictures and volumes, and there are"):
        choose(read_data(rows), members=2)
    resnet8(2, (1, 9, 9)).save(tmp_path / "m.onnx")
    with pytest.raises(UsageError, match=r"m\.onnx holds one network"):
        fit("digits", network=str(tmp_path / "m.onnx"), members=2)
