"""`fit` with few labels: what unlabelled examples are, how they are learned from, and a kill."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allotrope.config import DataOptions, Settings
from allotrope.data import read_data
from allotrope.errors import DataError
from allotrope.run import read_record
from allotrope.training.checkpoints import read
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
KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from quick import fit
from test_few_labels import COLUMNS, SMALL
fit(COLUMNS, out=sys.argv[1], **{**SMALL, "epochs": 24})
"""


def test_a_killed_training_resumes_to_the_same_bits(tmp_path):
    words = [str(tmp_path / "killed"), str(Path(__file__).parent)]
    killed = subprocess.Popen([sys.executable, "-c", KILLED, *words])
    folder = tmp_path / "killed" / "data-1"
    while not (folder / "stages" / "3" / "checkpoints" / "best.safetensors").exists():
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    killed.kill()
    killed.wait(timeout=30)
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
