"""`shrink` and `fit` of a network with one layer that int8 ruins: it alone stays in float."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

import allotrope
from allotrope.measure.candidates import Candidate, candidates
from allotrope.measure.network_files import FLOAT_FILE
from allotrope.progress import Progress
from quick import fit_with
from shrunk import ONE, fit, shrink_with

HARMED = "conv2"
LARGE = 1000.0


def float_and_int8(folder):
    int8 = [each for each in candidates(folder) if each.precision == "int8"]
    whole = Candidate("onnxruntime", "float32", folder / FLOAT_FILE)
    return [whole, *(each for each in int8 if each.runtime == "onnxruntime")]


AMONG = replace(ONE, candidates=float_and_int8)
OPTIONS = {"max_size": "0.9x", "max_drop": 3.0, "epochs": 1, "saliency": False}
DATA = "digits"


def planted(network):
    """The network with a channel that one layer enlarges and the next one divides again."""
    weights = {name: array.copy() for name, array in network.weights.items()}
    for name in ("bn1.weight", "bn1.bias"):
        weights[name][0] = np.abs(weights[name][0]) * LARGE
    weights["conv2.weight"][:, 0] /= LARGE
    return network.with_weights(weights)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    run = fit(DATA, network="cnn", epochs=4, out=folder, saliency=False, quiet=True)
    planted(allotrope.load(run.folder / "model.onnx")).save(folder / "planted.onnx")
    return folder / "planted.onnx"


@pytest.fixture(scope="module")
def shrunk(file):
    return shrink_with(AMONG)(file, DATA, out=file.parent / "whole", quiet=True, **OPTIONS)


def in_float(row):
    return [each["layer"] for each in row["sensitivity"] if each["float"]]


def test_the_harmed_layer_stays_in_float_and_nothing_is_trained(shrunk):
    assert shrunk.json["status"] == "done"
    row = shrunk.json["delivered"]
    assert row["form"] == "mixed-onnxruntime"
    assert in_float(row) == [HARMED] == in_float(shrunk.json["mixed"][0])
    assert "rounds" not in shrunk.json
    assert "rounding" not in shrunk.json
    operators = {node.op_type for node in onnx.load(shrunk.delivered).graph.node}
    assert "DequantizeLinear" in operators


def test_the_report_has_the_table(shrunk):
    page = (shrunk.folder / "report.html").read_text()
    assert "Sensitivity to rounding" in page
    assert page.index(HARMED, page.index("Sensitivity to rounding")) > 0
    assert "1 of 4 layers in float" in page


class Killed(BaseException):
    """As if the process had ended."""


class Killing(Progress):
    def __init__(self, at):
        self.at = at

    def say(self, line):
        if line.startswith(self.at):
            raise Killed


def test_what_is_too_large_in_mixed_precision_learns_to_be_rounded(shrunk, file):
    """The limit is between the int8 file and that with a layer in float; and it is killed twice."""
    sizes = {row["form"]: row["size_bytes"] for row in shrunk.json["candidates"]}
    limit = (sizes["onnxruntime"] + sizes["mixed-onnxruntime"]) // 2
    out = file.parent / "killed"
    begin = {"source": file, "data": DATA, "out": out, **OPTIONS, "max_size": limit}
    for line in ("mixed precision:", "onnxruntime int8 loses more"):
        with pytest.raises(Killed):
            shrink_with(AMONG, Killing(line))(**begin)
        begin = {"resume": next(out.iterdir())}
    ended = shrink_with(AMONG)(**begin, quiet=True)
    (tried,) = ended.json["mixed"]
    assert not tried["passes"]
    assert "size" in tried["reason"]
    names = ("layer", "error", "float")
    one, other = (
        [[layer[name] for name in names] for layer in row["sensitivity"]]
        for row in (tried, shrunk.json["mixed"][0])
    )
    assert one == other
    assert ended.json["rounding"]["epochs"] == 1


def test_fit_leaves_it_in_float_too(file):
    options = {"epochs": 0.1, "learning_rate": 1e-9, "max_drop": 3.0, "saliency": False}
    run = fit_with(AMONG)(DATA, network=str(file), out=file.parent, quiet=True, **options)
    rows = {row["form"]: row for row in run.json["candidates"]}
    assert not rows["onnxruntime"]["passes"]
    assert rows["mixed-onnxruntime"]["passes"]
    assert in_float(rows["mixed-onnxruntime"]) == [HARMED]
    assert "Sensitivity to rounding" in (run.folder / "report.html").read_text()
