"""A teacher that is asked in a runtime: it answers as the network does, or the framework is."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import Settings
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.progress import Progress
from allotrope.verbs.pipeline.asked_teacher import asked_teacher, departure


class Told(Progress):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def pictures(count=40):
    return {"x": np.random.default_rng(0).normal(0, 1, (count, 3, 8, 8)).astype(np.float32)}


def small():
    network = zoo.cnn(4, (3, 8, 8))
    return network, {network.inputs[0].name: pictures()["x"]}


def recurrent():
    """Rows of unlike lengths, which OpenVINO 2026.4.1 computes wrongly."""
    random = np.random.default_rng(1)
    builder = Builder("recurrent")
    rows = builder.input("x", np.float32, ("n", 5, 3))
    lengths = builder.input("lengths", np.int32, ("n",))
    x = builder.add("Transpose", [rows], {"perm": (1, 0, 2)})
    w = builder.weight("w", random.normal(0, 1, (1, 16, 3)).astype(np.float32))
    r = builder.weight("r", random.normal(0, 1, (1, 16, 4)).astype(np.float32))
    _, last = builder.add("LSTM", [x, w, r, "", lengths], {"hidden_size": 4}, outputs=2)
    axes = builder.constant(np.array([0], np.int64))
    builder.output(builder.add("Squeeze", [last, axes]), "y")
    example = {
        "x": random.normal(0, 1, (8, 5, 3)).astype(np.float32),
        "lengths": np.array([5, 1, 3, 2, 5, 4, 1, 2], np.int32),
    }
    return builder.network(), example


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_answers_as_the_network_does(precision):
    network, example = small()
    told = Told()
    with asked_teacher(network, example, Settings(precision=precision, threads=1), told) as asked:
        if asked is None:
            assert precision in told.lines[0], "only a processor without it may refuse it"
            return
        answers = asked({name: column[:7] for name, column in example.items()})
    expected = network.run({name: column[:7] for name, column in example.items()})
    assert departure(answers, expected) < {"float32": 1e-4, "bfloat16": 0.05}[precision]
    assert not told.lines


def test_wrong_answers_are_not_learned_from():
    network, example = recurrent()
    told = Told()
    with asked_teacher(network, example, Settings(threads=1), told) as asked:
        if asked is None:
            assert "answers other than onnxruntime does" in told.lines[0]
        else:
            assert departure(asked(example), network.run(example)) < 1e-4


def test_what_the_runtime_cannot_run_is_said():
    network, example = small()
    (name,) = example
    told = Told()
    wrong = {name: example[name][:, :2]}
    with asked_teacher(network, wrong, Settings(threads=1), told) as asked:
        assert asked is None
    assert "openvino cannot run it" in told.lines[0]


def test_on_another_device_the_framework_is_asked():
    network, example = small()
    with asked_teacher(network, example, Settings(device="cuda"), Progress()) as asked:
        assert asked is None


def test_departures_are_shares_of_the_largest_answer():
    right = {"a": np.array([1.0, -4.0]), "b": np.array([[2.0]])}
    assert departure(right, right) == 0
    assert departure({**right, "a": np.array([1.0, -3.0])}, right) == pytest.approx(0.25)
    assert departure({**right, "b": np.array([[3.0]])}, right) == pytest.approx(0.5)
    assert departure({**right, "b": np.array([[np.nan]])}, right) == np.inf
    assert departure({**right, "b": np.array([[np.inf]])}, right) == np.inf
