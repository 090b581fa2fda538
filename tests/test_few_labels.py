"""`fit` with few labels: what unlabelled examples are, how they are learned from, and a kill."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import DataOptions
from allotrope.data import read_data
from quick import fit

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
