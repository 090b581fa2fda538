"""`shrink` from a run to a smaller file, in each framework, and what it says of bad input."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import allotrope
from allotrope.run import read_record
from shrunk import fit, shrink
from tested import TESTED


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shrink")


@pytest.fixture(scope="module")
def digits_run(folder):
    """Digits learned quickly, by a network with channels to spare."""
    options = {"network": "cnn", "epochs": 3, "out": folder, "saliency": False}
    return fit("digits", **options, quiet=True)


@pytest.fixture(scope="module", params=TESTED)
def shrunk(request, digits_run, folder):
    """The run with two thirds of its size asked for, in each framework."""
    return shrink(
        digits_run.folder,
        max_size="0.6x",
        max_drop=20,
        epochs=1,
        framework=request.param,
        out=folder,
        saliency=False,
        quiet=True,
    )


def test_the_target_is_met_by_the_delivered_file(shrunk, digits_run):
    before, after = digits_run.json["delivered"], shrunk.json["delivered"]
    assert shrunk.json["status"] == "done" and shrunk.exit_code == 0
    assert after["size_bytes"] <= 0.6 * before["size_bytes"]
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
    assert shrunk.json["test"]["accuracy"] > 0.7


def test_it_is_a_run_of_the_ordinary_kind(shrunk, folder):
    """What it delivers answers; its network can be trained further and shrunk again."""
    assert shrunk.folder.joinpath("report.html").is_file()
    record = read_record(shrunk.folder)
    assert record["kind"] == "shrink" and record["framework"] in TESTED
    pixels = np.zeros((2, 8, 8, 1), np.uint8)
    answers = shrunk.predict({"image": pixels})
    assert len(answers.json) == 2
    onnx.checker.check_model(onnx.load(shrunk.delivered))


def test_it_can_be_trained_further_and_shrunk_again(digits_run, folder):
    options = {"epochs": 0.5, "out": folder, "saliency": False, "quiet": True}
    once = shrink(digits_run.folder, max_size="0.8x", max_drop=50, **options)
    twice = shrink(once.folder, max_size="0.8x", max_drop=50, **options)
    sizes = [run.json["delivered"]["size_bytes"] for run in (digits_run, once, twice)]
    assert sizes[0] > sizes[1] > sizes[2]
    file = str(twice.folder / "model.onnx")
    further = fit("digits", network=file, **options)
    assert further.json["delivered"]["size_bytes"] <= 1.1 * sizes[2]
