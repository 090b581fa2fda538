"""What layers take before and after a cut, as it is measured and as the report shows it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from allotrope.network import zoo
from allotrope.progress import Progress
from allotrope.report.layers_timed import layers_timed
from allotrope.report.record import Record
from allotrope.shrinking.groups import groups
from allotrope.shrinking.prune import pruned
from allotrope.verbs.pipeline.cut_layers import layer_times


class Saying(Progress):
    """Keeps the lines."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def halved():
    """A small network, and the same with half of each layer."""
    network = zoo.cnn(4, (3, 8, 8), channels=(16, 16))
    half = [group.number for layer in groups(network).alike() for group in layer[::2]]
    return network, pruned(network, half)


def bench():
    pixels = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    data = SimpleNamespace(taken=lambda split: {"x": pixels})
    return SimpleNamespace(plan=SimpleNamespace(data=data), threads=1, show=Saying())


def row(runtime):
    return {"runtime": runtime, "precision": "float32", "form": ""}


def test_every_layer_is_timed_before_and_after():
    whole, half = halved()
    times = layer_times(bench(), whole, half, row("onnxruntime"))
    layers = times["layers"]
    heavy = [node for node in whole.graph.nodes if node.operator in ("Conv", "Gemm")]
    assert [each["name"] for each in layers] == [node.label for node in heavy]
    for each, node in zip(layers, heavy, strict=True):
        assert each["before"]["shape"] == list(whole.weights[node.inputs[1]].shape)
        assert each["after"]["shape"] == list(half.weights[node.inputs[1]].shape)
        assert min(each[side]["microseconds"] for side in ("before", "after")) > 0


def test_kernels_that_cannot_be_timed_are_named():
    working = bench()
    assert layer_times(working, *halved(), row("nowhere")) == {}
    assert "what each layer takes cannot be said" in working.show.lines[0]


def timed(**sides):
    known = {side: {"shape": [4, 3], "microseconds": us} for side, us in sides.items()}
    return {"name": "layer", "before": None, "after": None, **known}


def table(*layers):
    times = {"runtime": "openvino", "precision": "int8", "layers": list(layers)}
    return layers_timed(Record({"shrunk": {"times": times}}))


def test_the_report_says_what_each_layer_saved():
    shown = table(timed(before=30.0, after=10.0), timed(before=20.0), timed(before=5.0, after=5.0))
    assert [one.saved for one in shown.rows] == pytest.approx([0.5, 0.5, 0.0])
    assert (shown.before, shown.after, shown.how) == (55.0, 15.0, "OpenVINO int8")
    assert [one.after_shape for one in shown.rows] == ["4 × 3", "", "4 × 3"]
    assert shown.rows[1].after is None


def test_nothing_saved_and_nothing_timed():
    assert [one.saved for one in table(timed(before=3.0, after=4.0)).rows] == [0.0]
    assert layers_timed(Record({"shrunk": {"times": {}}})) is None
    assert layers_timed(Record({})) is None
