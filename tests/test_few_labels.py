"""`fit` with few labels: what unlabelled examples are, how they are learned from, and a kill."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotrope.config import DataOptions, Recipe, Settings
from allotrope.data import Batches, read_data
from allotrope.errors import DataError, UsageError
from allotrope.frameworks.contract import Batch
from allotrope.run import read_record
from allotrope.tasks.calibration import surprises
from allotrope.tasks.contract import Encoded
from allotrope.tasks.probabilities import softmax
from allotrope.training.checkpoints import read
from allotrope.training.learning_along import BELIEVING, with_beliefs
from allotrope.training.pseudo_labels import TEMPERATURE, as_taught, pseudo_labels
from allotrope.verbs.pipeline.unlabelled_answers import with_unlabelled
from forked import started
from quick import ONE, fit, fit_with
from tested import TESTED

QUICK = {"network": "mlp", "epochs": 9, "threads": 1, "quiet": True, "saliency": False}


def few(labels: int = 10) -> dict[str, dict[str, np.ndarray]]:
    """The digits with so many labels a class, -1 in the place of the others."""
    digits = read_data("digits", DataOptions())
    label = digits.train["label"].copy()
    for number in range(10):
        label[np.flatnonzero(label == number)[labels:]] = -1
    test = digits.test.take(np.arange(100)).columns
    return {"train": {"image": digits.train["image"], "label": label}, "test": dict(test)}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory):
    return fit(few(), out=tmp_path_factory.mktemp("runs"), **QUICK)


def test_it_learns_from_unlabelled_examples_and_is_better(taught):
    record = taught.json
    assert record["data"]["unlabelled"] == 1159 and record["data"]["validation"] == 10
    facts = record["few_labels"]
    assert facts["method"] == "self-training" and "--method says otherwise" in facts["reason"]
    assert [row["start"]["examples"] for row in record["stages"]] == [90] * 4
    assert facts["chosen"] == 4
    # The ten held-out labels choose no row of a student by chance.
    students = [row["training"] for row in record["stages"][1:]]
    assert all(row["best_epoch"] == row["epochs"] for row in students)
    alone, *_, last = facts["stages"]
    assert last["validation_loss"] < alone["validation_loss"]
    assert record["status"] == "done" and record["test"]["accuracy"] > 0.5


def test_the_report_shows_stages_and_how_right_pseudo_labels_are(taught):
    classes = taught.json["few_labels"]["pseudo_labels"]
    assert sum(row["unlabelled"] for row in classes) == 1159
    assert sum(row["held_out"] for row in classes) == sum(row["called"] for row in classes) == 10
    page = (taught.folder / "report.html").read_text()
    assert "Pseudo-labels by class" in page and taught.json["few_labels"]["verdict"] in page


def pictures(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures [n, 8, 8] that are brighter at the top (0) or at the bottom (1)."""
    stream = np.random.default_rng(1)
    side = np.arange(count) % 2
    x = stream.integers(0, 90, (count, 8, 8)).astype(np.uint8)
    x[side == 1, :4] += 60
    x[side == 0, 4:] += 60
    return x, side


X, SIDE = pictures()
FEW = np.where(np.arange(60) < 20, SIDE, -1)


@pytest.mark.parametrize(
    "columns",
    [
        {"picture": X, "side": FEW},
        {"picture": X, "side": np.where(FEW < 0, np.nan, FEW)},
        {"picture": X, "side": [None if each < 0 else "ab"[each] for each in FEW]},
        {
            "train": {"picture": X[:20], "side": SIDE[:20]},
            "unlabelled": {"picture": X[20:]},
        },
        {
            "picture": X,
            "side": np.where(FEW < 0, "", SIDE.astype(str)),
            "split": np.where(FEW < 0, "unsup", "train"),
        },
    ],
    ids=["-1", "NaN", "None", "a split", "a column of splits"],
)
def test_unlabelled_examples_are_told_in_memory(columns):
    data = read_data(columns, DataOptions(target=("side",), task={"side": "classification"}))
    assert [len(data.splits[name]) for name in ("train", "validation", "test", "unlabelled")] == [
        14,
        2,
        4,
        40,
    ]
    assert (data.splits["unlabelled"]["side"] == -1).all() and data.tasks[0].size == 2


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"train": {"p": X, "y": SIDE}, "unlabelled": {"p": X[:2], "y": SIDE[:2]}},
            ["2 unlabelled images have labels: unlabelled[0], unlabelled[1]"],
        ),
        (
            {
                "train": {"p": X[:30], "y": SIDE[:30]},
                "test": {"p": X[30:40], "y": SIDE[30:40]},
                "unlabelled": {"p": X[38:]},
            },
            ["2 unlabelled images are in the test as well: unlabelled[0] = test[8]"],
        ),
        ({"p": X, "y": np.full(60, np.nan)}, ["no training row has a label in 'y'"]),
        ({"p": X, "y": np.where(np.arange(60) < 3, SIDE, np.nan)}, ["'1' has 1", "at least 3"]),
        ({"train": {"p": X, "y": SIDE}, "unlabelled": {"y": SIDE}}, ["unlabelled", "'p'"]),
    ],
    ids=["labels of their own", "in the test", "no label", "fewer than classes", "no input"],
)
def test_unlabelled_examples_that_teach_nothing_are_refused(columns, words):
    with pytest.raises(DataError) as error:
        read_data(columns, DataOptions(target=("y",), task={"y": "classification"}))
    assert all(word in str(error.value) for word in words), error.value


SMALL = {**QUICK, "epochs": 3, "method": "self-training", "flip": True}
COLUMNS = {"picture": X, "side": FEW}


def to_be_killed(out: Path) -> None:
    fit(COLUMNS, out=out, **{**SMALL, "epochs": 24})


def test_a_killed_training_resumes_to_the_same_bits(tmp_path):
    killed = started(to_be_killed, tmp_path / "killed")
    folder = tmp_path / "killed" / "data-1"
    while not (folder / "stages" / "3" / "checkpoints" / "best.safetensors").exists():
        assert killed.is_alive(), "it ended before it could be killed"
        time.sleep(0.01)
    killed.kill()
    killed.join(30)
    assert 1 < len(read_record(folder)["stages"]) < 4
    resumed = fit(COLUMNS, resume=folder, quiet=True)
    whole = fit(COLUMNS, out=tmp_path / "whole", **{**SMALL, "epochs": 24})
    for number in (1, 2, 3, 4):
        file = f"stages/{number}/checkpoints/best.safetensors"
        weights = [read(run.folder / file).arrays for run in (resumed, whole)]
        for name, array in weights[1].items():
            np.testing.assert_array_equal(weights[0][name], array, err_msg=name)
    assert resumed.json["few_labels"] == whole.json["few_labels"]


@pytest.mark.parametrize("name", TESTED)
def test_every_framework_learns_from_pseudo_labels(tmp_path, name):
    # TensorFlow takes a number of threads only before its first computation.
    options = {**SMALL, "framework": name, "out": tmp_path, "threads": None}
    run = fit_with(replace(ONE, settings=[Settings()]))(COLUMNS, **options)
    assert run.json["status"] == "done"
    assert [row["training"]["stopped"] for row in run.json["stages"]] == ["finished"] * 4
    assert run.json["stages"][1]["start"]["recipe"]["labelled_share"] == 0.25


def test_methods_that_cannot_be_used_are_refused(tmp_path):
    asked = {"method": "fixmatch", "out": tmp_path, "quiet": True}
    with pytest.raises(UsageError, match="--ensemble asks for several"):
        fit(COLUMNS, ensemble=2, **asked)
    with pytest.raises(UsageError, match="all examples have labels"):
        fit({"picture": X, "side": SIDE}, **asked)
    assert not any(tmp_path.iterdir())


SURE, UNSURE = [0.97, 0.02, 0.01], [0.5, 0.3, 0.2]


def test_what_methods_believe_of_answers():
    answers = np.array([SURE, UNSURE])
    targets, counts = BELIEVING["mean-teacher"](answers, {})
    assert np.array_equal(targets, answers) and counts.tolist() == [1, 1]
    targets, counts = BELIEVING["fixmatch"](answers, {})
    assert targets.tolist() == [[1, 0, 0]] * 2 and counts.tolist() == [1, 0]
    memory = {}
    assert BELIEVING["freematch"](np.array([UNSURE]), memory)[1].tolist() == [1]
    for _ in range(200):
        counts = BELIEVING["freematch"](np.array([SURE, SURE, UNSURE]), memory)[1]
    assert counts.tolist() == [1, 1, 0] and memory["steps"] == 201


def test_unlabelled_examples_of_a_batch_count_as_much_as_the_labelled():
    target = np.array([[1, 0], [0, 0], [0, 0]], np.float32)
    batch = Batch({}, {"y": target}, {"y": np.array([1, 0, 0], np.float32)})
    taught = with_beliefs(batch, "y", np.full((3, 2), 0.5), np.array([1.0, 1.0, 0.0]))
    assert taught.targets["y"].tolist() == [[1, 0], [0.5, 0.5], [0.5, 0.5]]
    assert taught.weights["y"].tolist() == [1, 0.5, 0]


@pytest.mark.parametrize("method", ["fixmatch", "freematch", "mean-teacher"])
def test_a_teacher_that_learns_along(tmp_path, method):
    run = fit(COLUMNS, out=tmp_path, **{**SMALL, "epochs": 8, "method": method})
    assert [row["number"] for row in run.json["stages"]] == [1, 2]
    assert run.json["few_labels"]["method"] == method and run.json["status"] == "done"
    last = read(run.folder / "stages" / "2" / "checkpoints" / "last.safetensors")
    remembered = {name for name in last.arrays if name.startswith("teacher/")}
    assert bool(remembered) == (method == "freematch")


def test_pseudo_labels_are_as_frequent_as_labels_and_count_by_confidence():
    answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    soft = pseudo_labels(answers, np.array([0.5, 0.5]))
    assert soft.counts == [2, 2]
    # What is taught is surer than what was answered, which an example counts by.
    balanced = soft.targets**TEMPERATURE
    balanced /= balanced.sum(axis=1, keepdims=True)
    assert balanced.mean(axis=0) == pytest.approx([0.5, 0.5], abs=1e-3)
    assert soft.weights == pytest.approx(2 * balanced.max(axis=1) - 1, abs=1e-6)
    assert (soft.targets.max(axis=1) > balanced.max(axis=1)).all()
    labels = Encoded(np.eye(2, dtype=np.float32), None)
    taught = as_taught(labels, soft)
    assert taught.targets.shape == (6, 2) and taught.weights[:2].tolist() == [1, 1]


def test_a_quarter_of_each_batch_has_labels():
    data = read_data(COLUMNS, DataOptions())
    recipe = Recipe(batch_size=16, labelled_share=0.25)
    whole = with_unlabelled(data)
    batches = Batches(whole, recipe)
    assert batches.steps_per_epoch == 40 // 12 and len(whole.train) == 54
    known = (whole.train["side"] >= 0)[batches.order(0)].reshape(3, 16)
    assert known[:, :4].all() and not known[:, 4:].any()
    assert [batch.weights["side"].sum() for batch in batches.epoch(0)] == [4, 4, 4]


def test_who_is_as_often_wrong_and_less_sure_of_it_knows_no_more():
    stream = np.random.default_rng(0)
    labels = stream.integers(0, 2, 20)
    logits = stream.normal(size=(20, 2)) + np.eye(2)[labels]
    sure, doubtful = softmax(5 * logits), softmax(logits)
    np.testing.assert_allclose(surprises(sure, labels), surprises(doubtful, labels), rtol=1e-4)
    knowing = softmax(logits + 2 * np.eye(2)[labels])
    assert surprises(knowing, labels).mean() < surprises(doubtful, labels).mean() - 0.1
