"""`shrink` from a run to a smaller file, in each framework, and what it says of bad input."""

from __future__ import annotations

import functools
import json
import shutil

import numpy as np
import onnx
import pytest

import allotrope
from allotrope.errors import DataError, RunFolderError, UsageError
from allotrope.network import zoo
from allotrope.progress import Progress
from allotrope.run import read_record
from planned import of_digits
from shrunk import ONE, fit, main, shrink, shrink_with
from tested import TESTED


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shrink")


@pytest.fixture(scope="module")
def digits_run(folder):
    """Digits learned quickly, by a network with channels to spare."""
    options = {"network": "cnn", "epochs": 3, "out": folder, "saliency": False}
    return fit("digits", **options, quiet=True)


# A size that the first cut comes to: each one that is tried starts two processes.
SMALLER = {"max_size": "0.55x", "max_drop": 30, "epochs": 0.5, "saliency": False}


@pytest.fixture(scope="module")
def shrunk_in(digits_run, folder):
    """The run with about half of its size asked for, in a framework, once."""
    return functools.cache(
        lambda name: shrink(digits_run.folder, framework=name, out=folder, quiet=True, **SMALLER)
    )


@pytest.fixture(params=TESTED)
def shrunk(request, shrunk_in):
    """That of each framework."""
    return shrunk_in(request.param)


def test_the_target_is_met_by_the_delivered_file(shrunk, digits_run):
    before, after = digits_run.json["delivered"], shrunk.json["delivered"]
    assert shrunk.json["status"] == "done" and shrunk.exit_code == 0
    assert after["size_bytes"] <= 0.55 * before["size_bytes"]
    assert shrunk.delivered.stat().st_size == after["size_bytes"]
    (one,) = shrunk.json["rounds"]
    assert one["rows"][0]["size_bytes"] <= shrunk.json["target"]["max_size"]


def test_layers_became_narrower_and_learned(shrunk, digits_run):
    layers = shrunk.json["shrunk"]["layers"]
    assert any(each["after"] != each["before"] for each in layers)
    network = allotrope.load(shrunk.folder / "model.onnx")
    whole = allotrope.load(digits_run.folder / "model.onnx")
    sizes = [sum(x.size for x in each.weights.values()) for each in (network, whole)]
    assert sizes[0] < sizes[1]
    assert shrunk.json["test"]["accuracy"] > 0.6


def test_it_is_a_run_of_the_ordinary_kind(shrunk, folder):
    """What it delivers answers; its network can be trained further and shrunk again."""
    page = shrunk.folder.joinpath("report.html").read_text()
    for shown in ("Layers before and after", "the target", "round 1", "What could not be cut"):
        assert shown in page
    record = read_record(shrunk.folder)
    assert record["kind"] == "shrink" and record["framework"] in TESTED
    pixels = np.zeros((2, 8, 8, 1), np.uint8)
    answers = shrunk.predict({"image": pixels})
    assert len(answers.json) == 2
    onnx.checker.check_model(onnx.load(shrunk.delivered))


def test_it_can_be_trained_further_and_shrunk_again(digits_run, shrunk_in, folder):
    options = {"epochs": 0.2, "out": folder, "saliency": False, "quiet": True}
    once = shrunk_in(TESTED[0])
    twice = shrink(once.folder, max_size="0.8x", max_drop=50, **options)
    sizes = [run.json["delivered"]["size_bytes"] for run in (digits_run, once, twice)]
    assert sizes[0] > sizes[1] > sizes[2]
    further = fit("digits", network=str(twice.folder / "model.onnx"), **options)
    assert further.json["delivered"]["size_bytes"] <= 1.1 * sizes[2]


# --- bad input: each is named, and nothing is lost


def small(digits_run, folder, **options):
    usual = {"max_size": "0.6x", "max_drop": 20, "epochs": 0.2, "out": folder}
    return shrink(digits_run.folder, **{**usual, **options}, saliency=False, quiet=True)


def test_a_target_below_what_is_possible_says_the_least(digits_run, folder):
    with pytest.raises(UsageError, match=r"300 bytes are asked for, and it has [\d,]+ \(0.\d+x\)"):
        small(digits_run, folder, max_size=300)
    with pytest.raises(UsageError, match=r"no cut reaches the target here"):
        small(digits_run, folder, max_size=None, max_latency="0.00001ms")


def test_a_budget_too_short_for_one_round_says_how_long_one_takes(digits_run, folder):
    with pytest.raises(UsageError, match=r"too short for one round.*Give at least --budget \d+s"):
        small(digits_run, folder, epochs=None, budget="1s")


def test_a_missed_target_is_exit_code_3_with_the_nearest_miss(digits_run, folder, capsys):
    """No drop at all is allowed of a network with hardly a channel that hardly learned."""
    words = ["shrink", str(digits_run.folder), "--max-size", "0.2x", "--max-drop", "0"]
    words += ["--epochs", "0.1", "--out", str(folder), "--no-saliency"]
    assert main([*words, "--json"]) == 3
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert record["status"] == "target-missed" and record["delivered"] is None
    assert (
        "allowed" in record["nearest_miss"]["reason"] or "over" in record["nearest_miss"]["reason"]
    )
    assert record["nearest_miss"]["size_bytes"] < digits_run.json["delivered"]["size_bytes"]


def test_data_that_is_gone_or_another_is_named(digits_run, folder, tmp_path):
    copy = shutil.copytree(digits_run.folder, tmp_path / "run")
    record = json.loads((copy / "run.json").read_text())

    def changed(**facts):
        (copy / "run.json").write_text(json.dumps({**record, **facts}))
        return type("Run", (), {"folder": copy})

    gone = changed(arguments={**record["arguments"], "data": str(tmp_path / "photos")})
    with pytest.raises(DataError, match=r"cannot be read again.*allotrope shrink .*run DATA"):
        small(gone, folder)
    fewer = changed(data={**record["data"], "train": 1000})
    with pytest.raises(DataError, match=r"1,259 train examples, 1,000 then"):
        small(fewer, folder)
    tasks = [{**record["data"]["tasks"][0], "classes": list("abcdefghij")}]
    with pytest.raises(DataError, match="task 'label' has other classes"):
        small(changed(data={**record["data"], "tasks": tasks}), folder)
    with pytest.raises(DataError, match=r"had 12.00% accuracy, and of these \d+"):
        small(changed(validation={"accuracy": 0.12, "loss": 2.0}), folder)


def test_what_is_no_run_is_named(digits_run, folder, tmp_path):
    with pytest.raises(UsageError, match="there is nothing to shrink"):
        shrink(quiet=True)
    with pytest.raises(RunFolderError, match="is no run folder"):
        shrink(tmp_path, quiet=True)
    with pytest.raises(UsageError, match="there is no such file"):
        shrink(tmp_path / "model.onnx", "digits", quiet=True)
    with pytest.raises(UsageError, match="is a network without data"):
        shrink(digits_run.folder / "model.onnx", quiet=True)
    with pytest.raises(UsageError, match=r"'2x' is no part of what there is"):
        small(digits_run, folder, max_size="2x")
    copy = shutil.copytree(digits_run.folder, tmp_path / "begun")
    (copy / "model.onnx").unlink()
    with pytest.raises(UsageError, match=r"has no model.onnx yet.*allotrope fit --resume"):
        shrink(copy, quiet=True)


def test_a_run_of_one_verb_is_not_resumed_by_another(digits_run):
    with pytest.raises(UsageError, match="Go on with: allotrope fit --resume"):
        shrink(resume=digits_run.folder, quiet=True)


def test_a_network_without_anything_to_cut(folder, tmp_path):
    """One layer: all of its inputs are the data's, and all of its outputs the classes'."""
    network = of_digits(zoo.mlp(10, (1, 8, 8), hidden=()))
    network.save(tmp_path / "linear.onnx")
    with pytest.raises(UsageError, match="nothing can be cut out of network"):
        shrink(tmp_path / "linear.onnx", "digits", epochs=0.1, out=folder, quiet=True)


# --- a kill in every stage


class Killing(Progress):
    """Ends the process, as it seems, when a line is said that begins so, or an epoch is done."""

    def __init__(self, at):
        self.at = at

    def say(self, line):
        if line.startswith(self.at):
            raise Killed

    def epoch(self, row):
        if self.at == "epoch" and row["step"] > 0:
            raise Killed


class Killed(BaseException):
    """Stands for a kill: nothing catches it and goes on."""


STAGES = ("measuring the network", "round 1: cut", "epoch", "round 1: onnx", "measuring 3")


def test_a_run_that_is_killed_in_every_stage_makes_the_same_choice(digits_run, shrunk_in, folder):
    whole = shrunk_in(TESTED[0])
    begin = {"source": digits_run.folder, "out": folder / "killed", **SMALLER}
    begin |= {"framework": TESTED[0]}
    for stage in STAGES:
        with pytest.raises(Killed):
            shrink_with(ONE, Killing(stage))(**begin)
        begin = {"resume": folder / "killed" / "digits-1"}
    ended = shrink(**begin, quiet=True)
    assert ended.json["status"] == whole.json["status"] == "done"
    assert ended.json["shrunk"] == whole.json["shrunk"]
    one, other = (allotrope.load(run.folder / "model.onnx").weights for run in (whole, ended))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    again = shrink(resume=ended.folder, quiet=True)
    assert again.json == ended.json
