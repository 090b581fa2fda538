"""A picture's way through a network: its numbers are those of the network, and lacks are said."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture

import allotrope
from allotrope.cli import main
from allotrope.errors import AllotropeError, DataError, RunFolderError, UsageError
from allotrope.explaining.followed import followed
from allotrope.explaining.way import way_through
from allotrope.network.graph import Node
from allotrope.network.rewriting.ensemble import ensemble
from allotrope.report.explained.explained_page import steps_of
from allotrope.report.explained.liveliest import window_at
from allotrope.report.explained.panels import signed_tile
from explainable import CLASSES, pictured, run_folder
from tested import TESTED

RANDOM = np.random.default_rng(5)
PIXELS = RANDOM.integers(0, 256, (12, 12, 1), dtype=np.uint8)
PLAIN = {"channels": (3, 4), "hidden": (5,), "normalization": "batch"}


def way_of(network, x=PIXELS, framework="pytorch", label=None):
    return followed(network, way_through(network, "picture", "kind"), x, framework, label)


def lacking(network, x=PIXELS):
    return [step.title for step in steps_of(way_of(network, x), CLASSES) if step.lacking]


@pytest.mark.parametrize("framework", TESTED)
def test_the_numbers_are_those_of_the_network(framework):
    network = pictured("cnn", **PLAIN)
    way = way_of(network, framework=framework, label=2)
    expected = network.run({"picture": PIXELS[None]})["kind"][0]
    assert np.allclose(way.shares, expected, atol=1e-5) and way.label == 2
    assert way.loss == pytest.approx(-np.log(expected[2]), rel=1e-4)
    first = way.way.convolutions[0]
    maps, kernels = way.arrays[first.made.name], way.arrays[first.kernels]
    for at in ((0, 0), (5, 7), (11, 11)):
        patch = window_at(way, first, 1, at).patch
        assert np.isclose((patch * kernels[1]).sum(), maps[1][at], atol=1e-4)
    pooled = way.arrays[way.way.pooling.made.name]
    before = way.arrays[way.way.pooling.taken.name]
    assert np.array_equal(pooled, before.reshape(3, 6, 2, 6, 2).max(axis=(2, 4)))


def test_gradients_are_slopes():
    network = pictured("cnn", **PLAIN)
    way = way_of(network, label=2)
    kernel = way.way.convolutions[0].kernels
    change = np.zeros_like(network.weights[kernel])
    change[1, 0, 2, 1] = 1e-4

    def loss(sign):
        moved = network.with_weights({kernel: network.weights[kernel] + sign * change})
        return -np.log(moved.run({"picture": PIXELS[None]})["kind"][0, 2])

    slope = (loss(1) - loss(-1)) / 2e-4
    assert way.to_weights[kernel][1, 0, 2, 1] == pytest.approx(slope, rel=1e-2)
    row, column, _ = np.unravel_index(np.abs(way.to_pixels).argmax(), PIXELS.shape)
    darker, brighter = PIXELS.copy(), PIXELS.copy()
    darker[row, column], brighter[row, column] = 120, 121
    logits = [way_of(network, x).arrays[way.way.logits] for x in (darker, brighter)]
    middle = way_of(network, darker).to_pixels[row, column, 0]
    # Of the same answer, as the slope is of the strongest.
    winner = way_of(network, darker).winner
    assert logits[1][winner] - logits[0][winner] == pytest.approx(middle, rel=0.1, abs=1e-5)


def test_pixels_that_are_turned_before_they_are_floats_have_their_slopes():
    network = pictured("cnn", side=12, colours=3, **PLAIN)
    cast = next(node for node in network.graph.nodes if node.operator == "Cast")
    turn = Node("Transpose", ("picture",), ("turned",), {"perm": (0, 3, 1, 2)}, "turned")
    first = replace(cast, inputs=("turned",), outputs=("floats",))
    back = Node("Transpose", ("floats",), cast.outputs, {"perm": (0, 2, 3, 1)}, "back")
    others = [node for node in network.graph.nodes if node is not cast]
    graph = replace(network.graph, nodes=(turn, first, back, *others))
    pixels = RANDOM.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    same = way_of(network, pixels).to_pixels
    assert np.allclose(way_of(network.changed(graph=graph), pixels).to_pixels, same, atol=1e-6)


def test_what_a_network_lacks_is_said():
    assert lacking(pictured("cnn", **PLAIN)) == []
    assert lacking(pictured("mlp", hidden=(5,))) == ["Kernels", "Feature maps", "Pooling"]
    coloured = RANDOM.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    transformer = pictured("deit_tiny", side=16, colours=3, depth=1, width=0.1)
    assert lacking(transformer, coloured) == ["Pooling"]
    residual = way_of(pictured("resnet8", side=16, colours=3, width=0.25), coloured)
    pooling = steps_of(residual, CLASSES)[4]
    assert not pooling.lacking and "No window goes over the maps" in pooling.lines[0]
    assert "with a stride" in pooling.lines[0] and "becomes its mean" in pooling.lines[1]


@pytest.mark.parametrize("activation", ["silu", "gelu", "prelu", "hard-swish", "softplus"])
def test_activations_are_followed_whole(activation):
    way = way_of(pictured("cnn", **PLAIN, activation=activation))
    taken, made = (way.arrays[v.name] for v in (way.way.activation.taken, way.way.activation.made))
    if activation == "silu":
        assert np.allclose(made, taken / (1 + np.exp(-taken)), atol=1e-5)
    assert made.shape == taken.shape and way.way.normalization.operator == "BatchNormalization"


def test_of_an_ensemble_the_first_is_followed_and_it_is_said():
    members = [pictured("cnn", **PLAIN, seed=seed) for seed in (0, 1)]
    whole = ensemble([each.changed(metadata={}) for each in members])
    whole = whole.changed(graph=replace(whole.graph, outputs=whole.graph.outputs[:1]))
    way = way_of(whole)
    assert way.way.voices == 2
    assert np.allclose(
        way.arrays[way.way.logits], way_of(members[0]).arrays[way_of(members[0]).way.logits]
    )
    assert any("the mean of 2 networks" in line for line in steps_of(way, CLASSES)[6].lines)


def test_colours_say_the_sign_and_depth_the_size():
    tile = signed_tile(np.array([[-2.0, 0.0], [1.0, 2.0]]), 2.0)
    file = io.BytesIO(base64.b64decode(tile.url.partition(",")[2]))
    pixels = np.asarray(Picture.open(file))
    assert pixels[..., 3].tolist() == [[255, 0], [128, 255]]
    assert pixels[0, 0, 2] > pixels[0, 0, 0] and pixels[1, 1, 0] > pixels[1, 1, 2]


def test_the_command_writes_a_page_that_needs_nothing(tmp_path, capsys):
    run = run_folder(tmp_path / "runs" / "photos-1", pictured("cnn", **PLAIN))
    Picture.fromarray(PIXELS[..., 0]).save(tmp_path / "a.png")
    out = tmp_path / "way.html"
    asked = ["explain", str(run), str(tmp_path / "a.png"), "--out", str(out), "--label", "bird"]
    assert main([*asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [step["title"] for step in said["steps"]] == [
        *("Input matrix", "Kernels", "Feature maps", "Activation"),
        *("Pooling", "Dense layer", "Softmax", "Gradient"),
    ]
    page = out.read_text(encoding="utf-8")
    assert "<b>dog" not in page and not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert page.count("<section") == 8
    # Every pixel stands in the matrix as the number that it is.
    assert all(f">{value}</text>" in page for value in np.unique(PIXELS))
    assert main(asked) == 2 and "is there already" in capsys.readouterr().err
    array = allotrope.explain(run, PIXELS, out=tmp_path / "array.html", label="bird")
    assert array.json["loss"] == pytest.approx(said["loss"])


def test_bad_input_is_named(tmp_path):
    network = pictured("cnn", **PLAIN)
    run = run_folder(tmp_path / "run", network)
    out = tmp_path / "out.html"
    (tmp_path / "a.txt").write_text("no picture")

    def refused(kind, match, folder, example, **options):
        with pytest.raises(kind, match=match):
            allotrope.explain(folder, example, out=out, **options)

    refused(RunFolderError, "is no run folder", tmp_path, PIXELS)
    refused(DataError, "a.txt", run, tmp_path / "a.txt")
    refused(DataError, "gone.png", run, tmp_path / "gone.png")
    refused(UsageError, r"expected uint8 \[12, 12, 1\]", run, PIXELS[:5])
    refused(UsageError, "class 'fish'", run, PIXELS, label="fish")
    refused(AllotropeError, "framework", run, PIXELS, framework="reference")
    text = [{"kind": "text", "name": "review", "length": 40}]
    columns = {"inputs": text, "tasks": [{"kind": "classification", "name": "kind"}]}
    other = network.changed(metadata={"allotrope.columns": json.dumps(columns)})
    texts = run_folder(tmp_path / "texts", other)
    refused(UsageError, r"takes review \(text\).*allotrope predict", texts, "good")
    (run / "model.onnx").unlink()
    refused(RunFolderError, "training has not ended", run, PIXELS)
    assert not out.exists()
