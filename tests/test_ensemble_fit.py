"""`fit --ensemble`: members one after the other, one file of them, its report, and a kill."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.network.reading.read import load
from allotrope.run import read_record
from allotrope.training.checkpoints import read
from quick import fit

QUICK = {"network": "mlp", "epochs": 2, "threads": 1, "quiet": True, "saliency": False}


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("runs")
    return fit("digits", ensemble=3, max_drop=0, out=out, **QUICK)


def test_the_members_are_one_file_that_answers_their_mean(ensemble):
    record = ensemble.json
    assert record["status"] == "done"
    rows = {row["form"]: row for row in record["candidates"]}
    assert rows["ensemble"]["passes"]
    data = read_data("digits", DataOptions())
    x = data.test["image"]
    shares = record["ensemble"]["shares"]["label"]
    own = [member_answers(ensemble.folder, number, x) for number in (1, 2, 3)]
    assert not np.allclose(own[0], own[1], atol=1e-2)
    file = load(ensemble.folder / rows["ensemble"]["file"])
    expected = np.average(own, axis=0, weights=shares)
    assert np.abs(file.run({"image": x})["label"] - expected).max() < 1e-6


def member_answers(folder: Path, number: int, x: np.ndarray) -> np.ndarray:
    """What a member answers, from its checkpoint alone."""
    from allotrope.tasks.probabilities import softmax
    from allotrope.training.checkpoints import Checkpoints
    from allotrope.verbs.network_file import as_saved

    own = folder / "members" / str(number)
    best = Checkpoints(own / "checkpoints").best(print)
    network = as_saved(own / "start.onnx").with_weights(best.arrays)
    (task,) = read_record(folder)["ensemble"]["members"][number - 1]["tasks"]
    return softmax(network.run({"image": x})["label"] / task.get("temperature", 1.0))


def test_the_record_says_what_each_member_is_and_what_all_gain(ensemble):
    record = ensemble.json
    assert [row["number"] for row in record["members"]] == [1, 2, 3]
    assert len({row["start"]["recipe"]["seed"] for row in record["members"]}) == 3
    facts = record["ensemble"]
    assert facts["way"] in ("average", "greedy")
    (row,) = [each for each in facts["forms"] if each["form"] == "ensemble"]
    mean = np.mean([each["test_accuracy"] for each in facts["members"]])
    assert row["over_mean"]["points"] == pytest.approx(100 * (row["test_accuracy"] - mean))
    assert row["over_mean"]["low"] <= row["over_mean"]["points"] <= row["over_mean"]["high"]
    assert record["training"]["epochs"] == 6
    assert record["delivered_test"]["accuracy"] == pytest.approx(row["test_accuracy"], abs=0.003)


def test_it_predicts_and_the_report_shows_the_members(ensemble):
    data = read_data("digits", DataOptions())
    rows = ensemble.predict({"image": data.test["image"][:40]}, threads=1).json
    classes = data.tasks[0].classes
    right = [
        row["top"][0]["class"] == classes[label]
        for row, label in zip(rows, data.test["label"], strict=False)
    ]
    assert np.mean(right) > 0.7
    page = (ensemble.folder / "report.html").read_text()
    assert "against the mean member" in page and "the delivered file, the ensemble," in page
    assert all((ensemble.folder / each["picture"]).is_file() for each in mistakes(ensemble))


def mistakes(run) -> list[dict]:
    return run.json["delivered_test"]["mistakes"]


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from quick import fit
from test_ensemble_fit import QUICK
fit("digits", ensemble=3, out=sys.argv[1], **{**QUICK, "epochs": 4})
"""


def test_a_killed_ensemble_resumes_to_the_same_bits(tmp_path):
    words = [str(tmp_path / "killed"), str(Path(__file__).parent)]
    killed = subprocess.Popen([sys.executable, "-c", KILLED, *words])
    folder = tmp_path / "killed" / "digits-1"
    while not (folder / "members" / "2" / "checkpoints" / "best.safetensors").exists():
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    killed.kill()
    killed.wait(timeout=30)
    before = read_record(folder)["members"]
    assert before[0]["training"]["epochs"] == 4 and len(before) < 3
    resumed = fit(resume=folder, quiet=True)
    whole = fit("digits", ensemble=3, out=tmp_path / "whole", **{**QUICK, "epochs": 4})
    for number in (1, 2, 3):
        file = f"members/{number}/checkpoints/best.safetensors"
        weights = [read(run.folder / file).arrays for run in (resumed, whole)]
        for name, array in weights[1].items():
            np.testing.assert_array_equal(weights[0][name], array, err_msg=name)
    assert resumed.json["ensemble"] == whole.json["ensemble"]
