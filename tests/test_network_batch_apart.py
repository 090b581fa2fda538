"""What a baked batch looks like that is freed, and what only looks like one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope.network.network import Network
from allotrope.network.rewriting.batch.placement import Mixes, Placement
from allotrope.network.rewriting.batch.tried import tried
from baked import CONV, IMAGE, F, W, assert_examples_apart, floats, load, made
from onnx_models import ints, model, node, outputs, tensor


def test_a_loop_over_examples_is_named():
    state = tensor("s", shape=[1, 2, 4, 4])
    flags = [tensor(name, TensorProto.BOOL, []) for name in ("go", "on")]
    count = tensor("i", TensorProto.INT64, [])
    body = [node("Add", "s s", "t"), node("Identity", "go", "on")]
    ends = [flags[1], tensor("t", shape=[1, 2, 4, 4])]
    graph = helper.make_graph(body, "body", [count, flags[0], state], ends)
    loop = helper.make_node("Loop", ["times", "", "c"], ["y"], body=graph, name="again")
    lines = []
    network = load([loop], report=lines.append, times=np.array(3))
    assert network.inputs[0].shape == (1, 3, 4, 4)
    assert "stays fixed: Loop (node 'again'): there is no rule" in lines[-1]


def test_a_network_without_weights_is_left_alone():
    network = allotrope.load(model([node("Relu", "x", "y")], [tensor("x", shape=[1, 3])]))
    assert network.inputs[0].shape == (1, 3)


def test_it_can_be_switched_off_and_a_free_batch_stays():
    relu = model([CONV, node("Relu", "c", "y")], IMAGE, arrays=W)
    assert allotrope.load(relu, repair=False).inputs[0].shape == (1, 3, 4, 4)
    lines = []
    network = load(
        [node("Relu", "c", "y")], [tensor("x", shape=["k", 3, 4, 4])], report=lines.append
    )
    assert network.inputs[0].shape == ("k", 3, 4, 4) and lines == []


def test_a_length_that_is_called_n_already():
    inputs = [tensor("x", shape=[1, 3, "n", 4])]
    assert load([node("Relu", "c", "y")], inputs).inputs[0].shape == ("batch", 3, "n", 4)


@pytest.mark.parametrize("target", [ints(1, 2, -1), ints(0, 0, -1), ints(1, -1, 4)])
def test_other_free_lengths_stay_free(target):
    inputs = [tensor("x", shape=[1, 3, "h", 4])]
    nodes = [node("Reshape", "c s", "r"), node("Relu", "r", "y")]
    network = load(nodes, inputs, s=target)
    assert network.inputs[0].shape == ("n", 3, "h", 4)
    for height in (2, 5):
        x = floats(3, 3, height, 4)
        old = made(nodes, {"s": target}, inputs)
        assert_examples_apart(network, old, lambda index, x=x: {"x": x[index : index + 1]})


def test_lengths_that_are_counted_beside_a_baked_batch():
    """As exporters write a view of a text: 1, the counted length, heads, the rest."""
    inputs = [tensor("x", shape=[1, "t", 6])]
    nodes = [node("MatMul", "x k", "p"), node("Shape", "p", "s"), node("Slice", "s a b", "t")]
    nodes += [node("Concat", "t two three", "v", axis=0), node("Reshape", "p v", "h")]
    nodes += [node("Transpose", "h", "q", perm=[0, 2, 1, 3]), node("Softmax", "q", "y", axis=2)]
    arrays = {"k": floats(6, 6), "a": ints(0), "b": ints(2), "two": ints(2), "three": ints(3)}
    old = model(nodes, inputs, [tensor("y", shape=None)], arrays)
    network = allotrope.load(old)
    assert network.inputs[0].shape == ("n", "t", 6)
    x = floats(3, 4, 6)
    assert_examples_apart(network, old, lambda index: {"x": x[index : index + 1]})


def test_a_table_that_ends_before_the_lengths_that_are_tried():
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s one", "t"),
        node("Slice", "k zero t one", "p"),
    ]
    nodes += [node("Add", "x p", "a"), node("MatMul", "a m", "y")]
    arrays = {"k": floats(1, 16, 6), "m": floats(6, 2), "zero": ints(0), "one": ints(1)}
    old = model(nodes, [tensor("x", shape=[1, "t", 6])], [tensor("y", shape=None)], arrays)
    network = allotrope.load(old)
    assert network.inputs[0].shape == ("n", "t", 6)
    x = floats(3, 5, 6)
    assert_examples_apart(network, old, lambda index: {"x": x[index : index + 1]})


def test_a_picture_without_a_batch_is_no_batch_of_three():
    lines = []
    nodes = [node("Unsqueeze", "x z", "b"), node("Conv", "b w", "y")]
    made = model(nodes, [tensor("x", shape=[3, 4, 4])], arrays={**W, "z": ints(0)})
    assert allotrope.load(made, report=lines.append).inputs[0].shape == (3, 4, 4) and lines == []


def test_a_batch_of_eight():
    nodes = [
        node("Reshape", "c s", "f"),
        node("Gemm", "f m", "g"),
        node("Concat", "k g", "y", axis=1),
    ]
    arrays = {"s": ints(8, 32), "m": floats(32, 5), "k": np.tile(floats(1, 2), (8, 1))}
    inputs = [tensor("x", shape=[8, 3, 4, 4])]
    network = load([*nodes[:2], node("Relu", "g", "y")], inputs, s=arrays["s"], m=arrays["m"])
    x = floats(11, 3, 4, 4)
    old = made([*nodes[:2], node("Relu", "g", "y")], {"s": arrays["s"], "m": arrays["m"]}, inputs)
    np.testing.assert_allclose(
        network.run({"x": x})["y"][:8], outputs(old, x=x[:8])[0], rtol=1e-4, atol=1e-5
    )
    mixing = load([node("ReduceMean", "c a", "y")], inputs, a=ints(0))
    assert mixing.inputs[0].shape == (8, 3, 4, 4)


RECURRENT = {"W": floats(1, 12, 2), "R": floats(1, 12, 3), "B": floats(1, 24)}


@pytest.mark.parametrize("states", ["zeros", "others", "inputs", "none"])
def test_recurrent_layers_with_the_time_first(states):
    """x: [t, 1, c]; states [1, 1, h] that are constants or inputs."""
    inputs, arrays = [tensor("x", shape=[5, 1, 2])], dict(RECURRENT)
    names = "" if states == "none" else " h h"
    if states == "inputs":
        inputs.append(tensor("h", shape=[1, 1, 3]))
    elif states != "none":
        arrays["h"] = np.zeros((1, 1, 3), F) if states == "zeros" else floats(1, 1, 3)
    lstm = helper.make_node(
        "LSTM", ["x", "W", "R", "B", "", *names.split()], ["y", "last"], hidden_size=3
    )
    old = model([lstm], inputs, [tensor("y", shape=None), tensor("last", shape=None)], arrays)
    network = allotrope.load(old)
    assert network.inputs[0].shape == (5, "n", 2)
    x, h = floats(5, 4, 2), floats(1, 4, 3)
    more = {"h": h} if states == "inputs" else {}
    together = network.run({"x": x, **more})
    for index in range(4):
        alone = {name: array[:, index : index + 1] for name, array in {"x": x, **more}.items()}
        y, last = outputs(old, **alone)
        np.testing.assert_allclose(together["y"][:, :, index : index + 1], y, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            together["last"][:, index : index + 1], last, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("target", [ints(1, 32), ints(1, -1)])
def test_a_batch_that_is_free_by_name_alone(target):
    nodes = [node("Reshape", "c s", "f"), node("MatMul", "f m", "y")]
    arrays, inputs = {"s": target, "m": floats(32, 5)}, [tensor("x", shape=["N", 3, 4, 4])]
    lines = []
    network = load(nodes, inputs, report=lines.append, **arrays)
    assert network.inputs[0].shape == ("n", 3, 4, 4) and "is free" in lines[-1]
    x = floats(3, 3, 4, 4)
    assert_examples_apart(network, made(nodes, arrays), lambda index: {"x": x[index : index + 1]})


def test_a_reshape_to_one_that_is_right_for_any_batch_stays():
    """Here 1 is no batch: a table for all examples is looked at in another shape."""
    nodes = [
        node("Shape", "c", "h"),
        node("Slice", "h a b", "n"),
        node("ConstantOfShape", "n", "o"),
    ]
    nodes += [
        node("ReduceMax", "o a", "p"),
        node("Reshape", "p s", "q"),
        node("Cast", "q", "r", to=1),
    ]
    nodes.append(node("Add", "c r", "y"))
    arrays = {"a": ints(0), "b": ints(1), "s": ints(1, 1, 1, 1)}
    lines = []
    network = load(nodes, [tensor("x", shape=["N", 3, 4, 4])], report=lines.append, **arrays)
    assert network.inputs[0].shape == ("N", 3, 4, 4) and lines == []


def test_several_inputs_of_which_one_holds_no_example():
    inputs = [*IMAGE, tensor("scale", shape=[]), tensor("mask", TensorProto.BOOL, [1, 1, 4, 4])]
    nodes = [node("Mul", "c scale", "m"), node("Where", "mask m c", "y")]
    network = load(nodes, inputs, report=print)
    assert [value.shape for value in network.inputs] == [("n", 3, 4, 4), (), ("n", 1, 4, 4)]


def test_the_trial_tells_another_answer():
    """A network that was freed wrongly is found out by running it."""
    good = load([node("Relu", "c", "y")])
    worse = load([node("Relu", "c", "r"), node("ReduceMean", "r z", "y")], repair=False, z=ints(0))
    batch = {"x": Placement(0)}
    assert tried(good, good, 1, batch, {"y": Placement(0)}, 1).startswith("tried with 2")
    mixing = Network(replace(worse.graph, inputs=good.graph.inputs), worse.weights, worse.trainable)
    with pytest.raises(Mixes, match="2 examples at once, its output 'y'"):
        tried(good, mixing, 1, batch, {}, 1)


def test_a_network_that_cannot_be_run_is_freed_by_its_rules():
    """ONNX Runtime multiplies no bfloat16 on the processor."""
    lines = []
    nodes = [node("Cast", "c", "b", to=TensorProto.BFLOAT16), node("Softmax", "b", "s")]
    nodes.append(node("Cast", "s", "y", to=TensorProto.FLOAT))
    network = load(nodes, report=lines.append)
    assert network.inputs[0].shape[0] == "n" and "by its rules alone" in lines[-1]


@pytest.mark.parametrize(("side", "kernel"), [(2048, 1), (400, 3)])
def test_what_would_take_long_is_not_tried(side, kernel):
    lines = []
    wide = {"w": np.zeros((64, 3, 1, 1), F), "v": np.zeros((200, 64, kernel, kernel), F)}
    inputs = [tensor("x", shape=[1, 3, side, side])]
    network = load([node("Conv", "c v", "y")], inputs, report=lines.append, **wide)
    assert network.inputs[0].shape[0] == "n" and "too large to be tried" in lines[-1]
