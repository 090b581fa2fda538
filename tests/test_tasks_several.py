"""Several tasks in one network: one loss, one that decides, and labels that none can learn from."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import Recipe
from allotrope.delivery.finished import finished
from allotrope.errors import DataError, UsageError
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.columns import columns_of
from allotrope.network.zoo import cnn
from allotrope.tasks import Classification, MultiLabel, Regression
from allotrope.tasks.several import (
    check_labels,
    decisive,
    encoded,
    gappy,
    joint_loss,
    scores,
    task_weights,
    trained_by,
    with_metrics,
)
from allotrope.tasks.uncertainty import BOUND, NAME, WEIGHT, with_log_variances

RANDOM = np.random.default_rng(0)
KIND = Classification(name="kind", classes=("ant", "bee"))
AGE = Regression(name="age")
TAGS = MultiLabel(name="tags", labels=("round", "red"))
TASKS = (KIND, AGE, TAGS)
LABELS = {
    "kind": RANDOM.integers(0, 2, 40),
    "age": np.where(np.arange(40) % 3 == 0, np.nan, RANDOM.gamma(3, 9, 40)),
    "tags": RANDOM.integers(0, 2, (40, 2)),
}
OUTPUTS = {task.name: RANDOM.standard_normal((40, task.size)) for task in TASKS}
P = ReferencePrimitives()


def told(**options):
    return trained_by(TASKS, Recipe(**options), LABELS)


def joint(tasks, outputs=OUTPUTS):
    targets, weights = encoded(tasks, LABELS, ["age"])
    wide = [{name: x.astype(np.float64) for name, x in each.items()} for each in (targets, weights)]
    return float(joint_loss(tasks)(P, outputs, *wide))


def test_the_loss_is_the_weighted_sum():
    tasks = told(task_weights="age=0.5")
    each = {name: value["loss"] for name, value in scores(tasks, OUTPUTS, LABELS).items()}
    assert joint(tasks) == pytest.approx(each["kind"] + 0.5 * each["age"] + each["tags"], rel=1e-6)


def test_one_task_alone_is_its_own_loss_to_the_bit():
    targets, _ = KIND.encode(LABELS["kind"])
    logits = OUTPUTS["kind"].astype(np.float32)
    alone = KIND.loss(P, logits, targets, None)
    assert joint_loss([KIND])(P, {"kind": logits}, {"kind": targets}, {}) == alone


def test_only_tasks_with_gaps_have_weights():
    targets, weights = encoded(told(), LABELS, gappy(TASKS, LABELS))
    assert list(targets) == ["kind", "age", "tags"] and list(weights) == ["age"]
    assert weights["age"].mean() == pytest.approx(26 / 40)


# --- learned weights


def test_learned_weights_are_kendalls():
    tasks, s = told(), np.array([0.3, -0.2, 1.0])
    each = [value["loss"] for value in scores(tasks, OUTPUTS, LABELS).values()]
    soft = BOUND * np.tanh(s / BOUND)
    expected = sum(np.exp(-soft) * each) + soft.sum() / 2
    assert joint(tasks, {**OUTPUTS, NAME: s}) == pytest.approx(expected, rel=1e-6)


def test_learned_weights_are_bounded_and_best_where_uncertainty_is_the_error():
    tasks = told()
    each = np.array([value["loss"] for value in scores(tasks, OUTPUTS, LABELS).values()])
    best = BOUND * np.arctanh(np.log(2 * each) / BOUND)
    least = joint(tasks, {**OUTPUTS, NAME: best})
    for change in (-0.1, 0.1):
        assert least < joint(tasks, {**OUTPUTS, NAME: best + change})
    far = joint(tasks, {**OUTPUTS, NAME: np.full(3, -1e6)})
    assert far == pytest.approx(np.exp(BOUND) * each.sum() - 1.5 * BOUND, rel=1e-6)


def test_what_is_learned_of_tasks_is_a_weight_that_is_not_delivered():
    network = cnn(2, (1, 4, 4), channels=(2,), hidden=()).renamed({"logits": "kind"})
    learning = with_log_variances(network, 1)
    assert WEIGHT in learning.trainable
    assert learning.run({"x": np.zeros((2, 1, 4, 4), np.float32)})[NAME].tolist() == [0.0]
    delivered = finished(learning, [], [KIND])
    assert [value.name for value in delivered.outputs] == ["kind"]
    assert delivered.weights.keys() == network.weights.keys()
    assert [facts["name"] for facts in columns_of(delivered.metadata)["tasks"]] == ["kind"]


# --- what is asked for


def test_the_first_task_decides_unless_another_is_asked_for():
    tasks, line = decisive(TASKS, None)
    assert tasks == TASKS
    assert line == (
        "'kind' decides, by accuracy, of kind, age, tags: "
        "it is the first; --decide NAME says otherwise."
    )
    tasks, line = decisive(TASKS, "age")
    assert [task.name for task in tasks] == ["age", "kind", "tags"]
    assert line.startswith("'age' decides, by RMSE")
    assert decisive([KIND], None) == ((KIND,), "")
    with pytest.raises(UsageError, match=r"unknown task 'agee'\. Did you mean 'age'"):
        decisive(TASKS, "agee")


def test_each_task_takes_the_loss_that_it_knows():
    assert [task.minimized for task in told(loss="huber,cross-entropy")] == [
        "cross-entropy",
        "huber",
        "binary-cross-entropy",
    ]
    with pytest.raises(UsageError, match=r"unknown loss for these tasks 'hubert'"):
        told(loss="hubert")


def test_weights_that_make_no_sense_are_refused_together():
    with pytest.raises(UsageError) as caught:
        task_weights(TASKS, "kind=0,age=1,aeg=2,tags=nan")
    message = str(caught.value)
    for problem in (
        "'0' of 'kind' is no finite number above 0",
        "'aeg=2' names no task of kind, age, tags",
        "'nan' of 'tags' is no finite number",
        "Expected fixed, learned, or NAME=NUMBER",
    ):
        assert problem in message


def test_a_metric_must_fit_its_task():
    assert with_metrics(TASKS, {"age": "mae"})[1].metric.name == "mae"
    with pytest.raises(UsageError) as caught:
        with_metrics(TASKS, {"age": "accuracy", "tags": "rmse", "aeg": "mae"})
    message = str(caught.value)
    assert "unknown metric for regression 'age' 'accuracy'" in message
    assert "unknown metric for multilabel 'tags' 'rmse'" in message
    assert "unknown task 'aeg'" in message


def test_all_labels_that_cannot_be_learned_from_are_named_at_once():
    good = {"kind": np.array([0, 1]), "age": np.array([1.0, 2.0]), "tags": np.eye(2)}
    check_labels(TASKS, ["picture"], {"train": good, "test": good})
    bad = {
        "kind": np.array([-1, -1]),
        "age": np.array([np.inf, 2.0]),
        "tags": np.array([[1, 1], [1, 0]]),
    }
    with pytest.raises(DataError) as caught:
        check_labels(TASKS, ["age", "picture"], {"train": bad, "test": good})
    message = str(caught.value)
    for problem in (
        "'age' is an input too",
        "'kind' has no label in train",
        "'age' has 1 infinite values in train (rows 0)",
        "label 'round' is always there in train",
    ):
        assert problem in message
    assert "in test" not in message
