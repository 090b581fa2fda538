"""Two inputs and three tasks from data to measured files, and the same steps in every framework."""

from __future__ import annotations

import functools
import json
from dataclasses import replace

import numpy as np
import pytest

from allotrope.architectures.choose import choose
from allotrope.config import Settings, Target
from allotrope.data.batches import Batches
from allotrope.frameworks import framework as find
from allotrope.frameworks.contract import Batch
from allotrope.frameworks.widening import widened
from allotrope.measure.candidates import candidates
from allotrope.network.columns import columns_of
from allotrope.network.reading.read import load
from allotrope.progress import Progress
from allotrope.tasks.several import decisive
from allotrope.tasks.uncertainty import NAME, WEIGHT
from allotrope.training.loop import train
from allotrope.training.plan import plan_for
from allotrope.verbs import pipeline
from made_tasks import TASKS, bars
from quick import BRIEF
from tested import TESTED

EPOCHS, SEED, STEPS = 8, 3, 10
LEARNED = {"task_weights": "learned"}


class Saying(Progress):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@functools.cache
def data():
    return bars()


def chosen(**overrides):
    return choose(data(), "cnn", {"batch_size": 32} | overrides, epochs=EPOCHS, seed=SEED)


def test_the_network_takes_each_input_and_answers_each_task_by_name():
    choice = chosen()
    assert [value.name for value in choice.network.inputs] == ["picture", "numbers"]
    assert [(value.name, value.shape) for value in choice.network.outputs] == [
        ("height", ("n", 1)),
        ("side", ("n", 3)),
        ("tags", ("n", 2)),
    ]
    assert choice.recipe.loss == "mean-squared-error,cross-entropy,binary-cross-entropy"
    said = " ".join(choice.reasons)
    assert "cnn for picture, dense layers for numbers" in said
    assert "turning and scaling may change height" in said


@pytest.fixture(scope="module")
def scored():
    choice, show = chosen(), Saying()
    start = pipeline.Start(choice.name, choice.network, choice.recipe, frozenset(), {})
    plan = pipeline.Plan(data(), start, choice.recipe, "pytorch", Settings(threads=1), {})
    return pipeline.scored(pipeline.trained(plan, show=show), show), show


def test_every_task_is_learned_although_labels_are_missing(scored):
    result, show = scored
    assert result.test["height"]["r2"] > 0.8
    assert result.test["side"]["accuracy"] > 0.95
    assert result.test["tags"]["macro_f1"] > 0.85
    assert [line.split()[:4] for line in show.lines[-4:]] == [
        ["validation", "RMSE", "of", "height"],
        ["validation", "accuracy", "of", "side"],
        ["probabilities", "of", "side", "are"],
        ["validation", "macro", "F1", "of"],
    ]


def test_the_history_has_every_score_and_the_first_task_decides(scored):
    history = scored[0].trained.history
    last = history[-1]
    assert last["validation_metric"] == last["validation_height_rmse"]
    assert {"validation_side_accuracy", "validation_tags_macro_auc"} <= last.keys()
    parts = [last[f"validation_{task.name}_loss"] for task in TASKS]
    assert last["validation_loss"] == pytest.approx(sum(parts))
    best = min(history, key=lambda row: row["validation_metric"])
    assert scored[0].trained.facts.best_epoch == best["epoch"]


def test_the_worst_answers_say_what_there_was_to_see(scored):
    result = scored[0]
    json.dumps(result.test, allow_nan=False)
    worst = result.test["height"]["worst"][0]
    assert worst["file"] == f"bar {worst['index']}"
    assert [cell["name"] for cell in worst["cells"]] == ["factor", "noise"]
    assert result.files[worst["picture"]].startswith(b"\x89PNG")
    named = [row["picture"] for row in result.test["tags"]["worst"]]
    assert len(result.files) >= 32 and set(named).isdisjoint({worst["picture"]})


def test_thresholds_are_chosen_on_validation_data_and_delivered(scored, tmp_path):
    result = scored[0]
    assert len(result.tasks[2].thresholds) == 2
    among = pipeline.Among(candidates=lambda folder: candidates(folder)[1:2], turns=BRIEF)
    measured = pipeline.measured(result, tmp_path, Target(), 1, among)
    (row,) = measured.rows
    assert row["validation_metric"] == pytest.approx(result.validation["height"]["rmse"], rel=1e-4)
    assert "validation RMSE" in row["reason"]
    delivered = load(tmp_path / row["file"])
    said = columns_of(delivered.metadata)["tasks"]
    assert [task["name"] for task in said] == ["height", "side", "tags"]
    assert said[2]["thresholds"] == list(result.tasks[2].thresholds)
    answers = delivered.run(data().taken("test"))
    truth = data().test["height"]
    rmse = np.sqrt(np.mean((answers["height"][:, 0] - truth) ** 2))
    assert rmse == pytest.approx(result.test["height"]["rmse"], rel=1e-4)
    np.testing.assert_allclose(answers["side"].sum(1), 1, rtol=1e-5)


def test_another_task_decides_if_it_is_asked_for():
    tasks, line = decisive(TASKS, "side")
    assert line.startswith("'side' decides, by accuracy")
    asked = replace(data(), tasks=tasks)
    choice = choose(asked, "cnn", epochs=2, seed=SEED)
    result = train(choice.network, asked, choice.recipe, Settings(threads=1))
    best = max(result.history, key=lambda row: row["validation_side_accuracy"])
    assert result.best["validation_metric"] == best["validation_side_accuracy"]


def test_what_tasks_count_can_be_learned():
    choice = chosen(**LEARNED)
    assert NAME in {value.name for value in choice.network.outputs}
    result = train(choice.network, data(), choice.recipe, Settings(threads=1))
    weights = result.network.weights[WEIGHT]
    assert (weights != 0).all() and np.isfinite(weights).all()
    assert result.best["validation_side_accuracy"] > 0.9


def test_steps_are_the_same_in_every_framework():
    losses = {name: steps(name) for name in dict.fromkeys(("pytorch", *TESTED))}
    for name, curve in losses.items():
        np.testing.assert_allclose(curve, losses["pytorch"], rtol=1e-8, err_msg=name)
    assert len(set(losses["pytorch"])) == STEPS


def steps(name):
    """The losses of some steps in float64, in which what tasks count is learned."""
    choice = chosen(average=None, **LEARNED)
    plan = plan_for(choice.network, choice.recipe, data().tasks, data().train.columns)
    # No number of threads: TensorFlow may have begun with another one in this process.
    trainer = find(name).trainer(widened(choice.network), plan, Settings())
    batches = Batches(data(), choice.recipe)
    made = [wide(batches.batch(0, step)) for step in range(STEPS)]
    return [float(trainer.step(batch, 1e-3, step)) for step, batch in enumerate(made, 1)]


def wide(batch):
    """The batch with floats of 64 bits; pictures stay bytes."""
    columns = (batch.inputs, batch.targets, batch.weights)
    return Batch(*({name: _wide(x) for name, x in part.items()} for part in columns))


def _wide(x):
    return x.astype(np.float64) if x.dtype == np.float32 else x
