"""`shrink` of a network whose int8 file is small enough and loses too much: it learns rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import allotrope
from allotrope.measure.candidates import Candidate
from allotrope.measure.network_files import INT8_FOLDER
from coarse_quantizer import coarse
from shrunk import ONE, fit, shrink_with


def float_and_coarse(folder):
    """Float32, and an int8 file of so few steps that it answers wrong."""
    file = folder / INT8_FOLDER / "coarse.onnx"
    pixels = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 1)).astype(np.uint8)
    coarse(folder / "model.onnx", {"image": pixels}, file)
    return [
        Candidate("onnxruntime", "float32", folder / "model.onnx"),
        Candidate("onnxruntime", "int8", file, "onnxruntime"),
    ]


LOSSY = replace(ONE, candidates=float_and_coarse)
OPTIONS = {"max_size": "0.7x", "max_drop": 1.0, "epochs": 1, "saliency": False, "quiet": True}


@pytest.fixture(scope="module")
def shrunk(tmp_path_factory):
    out = tmp_path_factory.mktemp("rounding")
    run = fit("digits", network="cnn", epochs=4, out=out, saliency=False, quiet=True)
    return shrink_with(LOSSY)(run.folder, out=out, **OPTIONS)


def test_the_file_that_learned_is_delivered(shrunk):
    assert shrunk.json["status"] == "done"
    assert shrunk.json["delivered"]["form"] == "learned"
    rows = {row["form"]: row for row in shrunk.json["candidates"]}
    lost = rows["learned"]["validation_accuracy"] - rows["onnxruntime"]["validation_accuracy"]
    assert lost > 0
    assert shrunk.json["rounding"]["epochs"] == 1
    assert "rounds" not in shrunk.json
    assert "learned" in (shrunk.folder / "report.html").read_text()


def test_it_answers_and_its_network_is_whole(shrunk):
    answers = shrunk.predict({"image": np.zeros((2, 8, 8, 1), np.uint8)})
    assert len(answers.json) == 2
    network = allotrope.load(shrunk.folder / "model.onnx")
    assert all(x.dtype == np.float32 for x in network.weights.values())


def test_a_finished_run_is_left_as_it_is(shrunk):
    before = (shrunk.folder / "run.json").read_bytes()
    again = shrink_with(LOSSY)(resume=shrunk.folder, quiet=True)
    assert again.json["status"] == "done"
    assert (shrunk.folder / "run.json").read_bytes() == before
