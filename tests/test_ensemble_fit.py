"""`fit --ensemble`: members one after the other, one file of them, its report, and a kill."""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allotrope.config import DataOptions, Settings
from allotrope.data import read_data
from allotrope.errors import AllotropeError, UsageError
from allotrope.network.reading.read import load
from allotrope.progress import Progress
from allotrope.run import read_record
from allotrope.training.checkpoints import read
from forked import started
from quick import ONE, fit, fit_with
from tested import TESTED

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


def to_be_killed(out: Path) -> None:
    fit("digits", ensemble=3, out=out, **{**QUICK, "epochs": 4})


def test_a_killed_ensemble_resumes_to_the_same_bits(tmp_path):
    killed = started(to_be_killed, tmp_path / "killed")
    folder = tmp_path / "killed" / "digits-1"
    while not (folder / "members" / "2" / "checkpoints" / "best.safetensors").exists():
        assert killed.is_alive(), "it ended before it could be killed"
        time.sleep(0.01)
    killed.kill()
    killed.join(30)
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


@pytest.mark.parametrize("name", TESTED)
def test_every_framework_trains_members(tmp_path, name):
    x, side = sides(120)
    # TensorFlow takes a number of threads only before its first computation.
    options = {**QUICK, "epochs": 1, "framework": name, "out": tmp_path, "threads": None}
    free = fit_with(replace(ONE, settings=[Settings()]))
    run = free({"picture": x, "side": side}, ensemble=2, flip=True, max_drop=100, **options)
    assert run.json["status"] == "done"
    forms = [row["form"] for row in run.json["ensemble"]["forms"]]
    assert forms == ["mirrored", "ensemble", "ensemble-mirrored"]
    rows = {row["form"]: row for row in run.json["candidates"]}
    for row in run.json["ensemble"]["forms"]:
        # What was computed in the framework is what the file answers.
        assert rows[row["form"]]["test_accuracy"] == pytest.approx(row["test_accuracy"], abs=0.05)


def sides(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures [n, 8, 8] that are brighter at the top or at the bottom."""
    stream = np.random.default_rng(1)
    side = np.arange(count) % 2
    x = stream.integers(0, 90, (count, 8, 8)).astype(np.uint8)
    x[side == 1, :4] += 60
    x[side == 0, 4:] += 60
    return x, side


KINDS = {"folds": 2, "networks": 1, "soup": 4, "snapshots": 10}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_members_differ_in_they_are_one_file(tmp_path, kind):
    options = {**QUICK, "epochs": KINDS[kind], "out": tmp_path, "max_drop": 100}
    run = fit("digits", ensemble=2, ensemble_of=kind, **options)
    assert run.json["status"] == "done"
    starts = [row["start"] for row in run.json["members"]]
    assert len(starts) == 2 and (starts[0]["network"] == starts[1]["network"]) is (
        kind != "networks"
    )
    own = {"folds": 2, "networks": 1}.get(kind, KINDS[kind] / 2)
    assert [row["training"]["epochs"] for row in run.json["members"]] == [own, own]
    assert {row["form"] for row in run.json["candidates"]} == {"", "ensemble"}
    if kind == "folds":
        assert sum(start["examples"] for start in starts) == run.json["data"]["train"]
    assert fit(resume=run.folder, quiet=True).json == run.json


def test_one_network_learns_what_all_answer(tmp_path, capsys):
    options = {**QUICK, "epochs": 4, "out": tmp_path, "max_drop": 100, "quiet": False}
    run = fit("digits", ensemble=2, distill=True, loss="focal", **options)
    said = capsys.readouterr().out
    assert "is learned by cross-entropy: focal takes labels, not what an ensemble answers" in said
    losses = [row["start"]["recipe"].get("loss") for row in run.json["members"]]
    assert losses == ["focal", "focal", "cross-entropy"]
    (row,) = [row for row in run.json["ensemble"]["forms"] if row["form"] == "distilled"]
    assert row["test_accuracy"] > 0.85
    student = run.json["members"][2]
    assert student["training"]["epochs"] == 8
    smoothing = [row["start"]["recipe"]["label_smoothing"] for row in run.json["members"]]
    assert smoothing == [smoothing[0]] * 2 + [smoothing[0] / 2]
    sizes = {each["form"]: each["size_bytes"] for each in run.json["candidates"]}
    assert sizes[""] < 0.6 * sizes["ensemble"]
    assert (
        "the network that learned the ensemble" in (run.folder / "report.html").read_text().lower()
    )


def test_several_tasks_and_inputs_have_shares_of_their_own(tmp_path):
    x, side = sides(160)
    stream = np.random.default_rng(2)
    rows = {"picture": x, "side": side, "height": side * 3 + stream.normal(size=160)}
    options = {**QUICK, "network": "auto", "epochs": 2, "out": tmp_path, "max_drop": 100}
    run = fit(rows, target="side,height", ensemble=2, combine="greedy", **options)
    facts = run.json["ensemble"]
    assert facts["way"] == "greedy" and set(facts["shares"]) == {"side", "height"}
    assert all(sum(shares) == pytest.approx(1) for shares in facts["shares"].values())


def test_folds_of_quantities_have_units_of_their_own(tmp_path):
    stream = np.random.default_rng(3)
    a = stream.normal(size=300)
    rows = {"a": a, "b": stream.normal(size=300), "y": 1000 + 50 * a + stream.normal(size=300)}
    options = {**QUICK, "network": "auto", "epochs": 3, "out": tmp_path, "max_drop": 100}
    run = fit(rows, target="y", ensemble=2, ensemble_of="folds", **options)
    means = [row["tasks"][0]["mean"] for row in run.json["ensemble"]["members"]]
    assert means[0] != means[1]
    forms = {row["form"]: row for row in run.json["candidates"]}
    (own,) = [row for row in run.json["ensemble"]["forms"] if row["form"] == "ensemble"]
    assert forms["ensemble"]["test_metric"] == pytest.approx(own["test_metric"], rel=1e-4)
    shares = forms["ensemble-and-trees"]["network_shares"]
    assert 0 <= shares["y"] <= 1
    errors = [forms[form]["validation_metric"] for form in ("ensemble", "trees")]
    assert forms["ensemble-and-trees"]["validation_metric"] <= min(errors) * 1.001


def test_an_ensemble_that_is_too_large_leaves_the_network_alone(tmp_path):
    run = fit("digits", ensemble=2, max_size="300KB", out=tmp_path, **QUICK)
    assert run.json["status"] == "done" and run.json["delivered"]["form"] == ""
    (row,) = [row for row in run.json["candidates"] if row["form"] == "ensemble"]
    assert "is over 300,000 bytes" in row["reason"]
    none = fit("digits", ensemble=2, max_size="1KB", out=tmp_path, **QUICK)
    assert (none.json["status"], none.json["nearest_miss"]["form"]) == ("target-missed", "")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ensemble": 0}, "ensemble is 0, expected more than 0"),
        ({"ensemble_of": "folds"}, "--ensemble-of: for an ensemble of two networks or more"),
        ({"ensemble": 1, "distill": True}, "--distill: for an ensemble of two networks"),
        ({"ensemble": 2, "ensemble_of": "seed"}, "seeds"),
        ({"ensemble": 2, "combine": "mean"}, "average"),
        ({"ensemble": 2, "ensemble_of": "snapshots"}, "1.0 epochs each, and need 5"),
        ({"ensemble": 5000, "ensemble_of": "folds"}, "cannot be parted into 5000 folds"),
    ],
)
def test_what_cannot_be_an_ensemble_is_refused(tmp_path, asked, said):
    with pytest.raises(AllotropeError, match=re.escape(said)):
        fit("digits", out=tmp_path, **{**QUICK, **asked})


def test_tables_have_one_kind_of_network(tmp_path):
    a = np.random.default_rng(4).normal(size=90)
    rows = {"a": a, "label": (a > 0).astype(int)}
    with pytest.raises(UsageError, match="there is table_mlp alone"):
        fit(rows, ensemble=2, ensemble_of="networks", out=tmp_path, **{**QUICK, "network": "auto"})


class Pressing(Progress):
    """Presses Ctrl-C after each validation."""

    def epoch(self, row: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_delivers_what_there_is_and_the_rest_is_trained_later(tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        options = {**QUICK, "epochs": 6, "out": tmp_path, "max_drop": 100}
        run = fit_with(ONE, Pressing())("digits", ensemble=2, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (run.json["status"], run.exit_code) == ("interrupted", 130)
    assert len(run.json["members"]) == 1 and run.delivered is not None
    whole = fit(resume=run.folder, quiet=True)
    assert whole.json["status"] == "done"
    assert [row["training"]["epochs"] for row in whole.json["members"]] == [6, 6]


def test_texts_and_flags(tmp_path):
    stream = np.random.default_rng(5)
    words = np.array(["sun", "rain", "wind", "snow"])
    flags = stream.integers(0, 2, (160, 4))
    flags[flags.sum(axis=1) == 0, 0] = 1
    texts = np.array([" ".join(words[row == 1]) for row in flags])
    options = {**QUICK, "network": "auto", "epochs": 2, "out": tmp_path, "max_drop": 100}
    run = fit({"text": texts, "weather": flags}, target="weather", ensemble=2, **options)
    assert run.json["data"]["tasks"][0]["kind"] == "multilabel"
    forms = {row["form"]: row for row in run.json["candidates"]}
    (own,) = [row for row in run.json["ensemble"]["forms"] if row["form"] == "ensemble"]
    assert forms["ensemble"]["test_metric"] == pytest.approx(own["test_metric"], abs=0.02)
