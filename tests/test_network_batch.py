"""A batch that an exporter baked in: freed where examples stay apart, left and said where not."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

import allotrope
from allotrope.config import Repair
from allotrope.network.network import Network
from allotrope.network.rewriting.batch.placement import Mixes, Placement
from allotrope.network.rewriting.batch.trial import tried
from onnx_models import model, node, outputs, tensor

F = np.float32
RNG = np.random.default_rng(0)
IMAGE = [tensor("x", shape=[1, 3, 4, 4])]
CONV = node("Conv", "x w", "c")
W = {"w": RNG.standard_normal((2, 3, 1, 1)).astype(F)}


def ints(*values):
    return np.array(values, np.int64)


def floats(*shape):
    return RNG.standard_normal(shape).astype(F)


def made(nodes, arrays, inputs=None):
    return model(
        [CONV, *nodes], inputs or IMAGE, [tensor("y", shape=None)], {**W, **arrays}, opset=23
    )


def load(nodes, inputs=None, repair=True, report=None, **arrays):
    report = report or (lambda line: None)
    return allotrope.load(made(nodes, arrays, inputs), repair=repair, report=report)


# c is [1, 2, 4, 4]
FREED = {
    "flatten": ([node("Flatten", "c", "y")], {}),
    "reshape to 1 -1": ([node("Reshape", "c s", "y")], {"s": ints(1, -1)}),
    "reshape to 1 32": ([node("Reshape", "c s", "y")], {"s": ints(1, 32)}),
    "reshape with allowzero": ([node("Reshape", "c s", "y", allowzero=1)], {"s": ints(1, 32)}),
    "reshape to -1 32": ([node("Reshape", "c s", "y")], {"s": ints(-1, 32)}),
    "reshape to 0 4 -1": ([node("Reshape", "c s", "y")], {"s": ints(0, 4, -1)}),
    "reshape to a vector": ([node("Reshape", "c s", "y")], {"s": ints(32)}),
    "reshape to -1": ([node("Reshape", "c s", "y")], {"s": ints(-1)}),
    "reshape away and back": (
        [node("Reshape", "c s", "v"), node("Relu", "v", "r"), node("Reshape", "r t", "y")],
        {"s": ints(-1), "t": ints(1, 4, 8)},
    ),
    "rows of all examples": (
        [
            node("Transpose", "c", "t", perm=[0, 2, 3, 1]),
            node("Reshape", "t s", "r"),
            node("MatMul", "r m", "p"),
            node("Reshape", "p u", "y"),
        ],
        {"s": ints(-1, 2), "m": floats(2, 3), "u": ints(1, 4, 4, 3)},
    ),
    "rows as output": (
        [node("Transpose", "c", "t", perm=[0, 2, 3, 1]), node("Reshape", "t s", "y")],
        {"s": ints(-1, 2)},
    ),
    "windows": (
        [
            node("Reshape", "c s", "r"),
            node("Transpose", "r", "t", perm=[0, 2, 4, 3, 5, 1]),
            node("Reshape", "t u", "v"),
            node("Softmax", "v", "a", axis=1),
            node("Reshape", "a s2", "b"),
            node("Transpose", "b", "d", perm=[0, 5, 1, 3, 2, 4]),
            node("Reshape", "d s3", "y"),
        ],
        {
            "s": ints(1, 2, 2, 2, 2, 2),
            "u": ints(4, 4, 2),
            "s2": ints(1, 2, 2, 2, 2, 2),
            "s3": ints(1, 2, 4, 4),
        },
    ),
    "a table for each window": (
        [node("Reshape", "c s", "v"), node("Add", "v k", "a"), node("Reshape", "a t", "y")],
        {"s": ints(4, 8), "k": floats(4, 8), "t": ints(1, 32)},
    ),
    "channels shuffled": (
        [
            node("Reshape", "c s", "v"),
            node("Transpose", "v", "t", perm=[0, 2, 1, 3]),
            node("Reshape", "t u", "y"),
        ],
        {"s": ints(1, 2, 4, 4), "u": ints(1, 2, 4, 4)},
    ),
    "product of rows": (
        [node("Reshape", "c s", "r"), node("MatMul", "r m", "y")],
        {"s": ints(1, 2, 16), "m": floats(16, 5)},
    ),
    "gemm": (
        [node("Reshape", "c s", "r"), node("Gemm", "r m b", "y")],
        {"s": ints(1, 32), "m": floats(32, 5), "b": floats(5)},
    ),
    "gemm of columns": (
        [
            node("Reshape", "c s", "r"),
            node("Gemm", "m r", "g", transB=1),
            node("Transpose", "g", "y"),
        ],
        {"s": ints(1, 32), "m": floats(5, 32)},
    ),
    "softmax": ([node("Transpose", "c", "t", perm=[0, 2, 3, 1]), node("Softmax", "t", "y")], {}),
    "batch moved": (
        [
            node("Transpose", "c", "t", perm=[2, 3, 0, 1]),
            node("LayerNormalization", "t k", "l"),
            node("Transpose", "l", "y", perm=[2, 3, 0, 1]),
        ],
        {"k": floats(2)},
    ),
    "means": ([node("ReduceMean", "c a", "y", keepdims=0)], {"a": ints(2, 3)}),
    "slice": ([node("Slice", "c a b e", "y")], {"a": ints(0), "b": ints(1), "e": ints(1)}),
    "slice of all examples": (
        [node("Slice", "c a b e", "y")],
        {"a": ints(0, 0), "b": ints(1, 1), "e": ints(0, 1)},
    ),
    "computed end of a slice": (
        [
            node("Shape", "c", "s"),
            node("Gather", "s i", "h"),
            node("Div", "h two", "e"),
            node("Slice", "c a e j", "y"),
        ],
        {"i": ints(2), "two": ints(2), "a": ints(0), "j": ints(2)},
    ),
    "split": (
        [node("Split", "c", "a b", axis=1, num_outputs=2), node("Concat", "b a", "y", axis=-1)],
        {},
    ),
    "twins": (
        [
            node("Relu", "c", "r"),
            node("Concat", "c r", "t", axis=0),
            node("Softmax", "t", "u"),
            node("Split", "u z", "a b", axis=0),
            node("Sub", "a b", "y"),
        ],
        {"z": ints(1, 1)},
    ),
    "bias of a batch": ([node("Add", "c k", "y")], {"k": floats(1, 2, 1, 1)}),
    "token": ([node("Concat", "k c", "y", axis=1)], {"k": floats(1, 3, 4, 4)}),
    "expanded token": (
        [node("Expand", "k s", "e"), node("Concat", "e c", "y", axis=1)],
        {"k": floats(1, 1, 4, 4), "s": ints(1, 3, 4, 4)},
    ),
    "token for the counted batch": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s i", "n"),
            node("Concat", "n o", "e", axis=0),
            node("Expand", "k e", "t"),
            node("Concat", "t c", "y", axis=1),
        ],
        {"i": ints(0), "o": ints(1, 4, 4), "k": floats(1, 1, 1, 1)},
    ),
    "zeros joined": (
        [node("ConstantOfShape", "s", "z"), node("Concat", "c z", "y", axis=1)],
        {"s": ints(1, 1, 4, 4)},
    ),
    "expand": (
        [node("ReduceMean", "c a", "m"), node("Expand", "m s", "y")],
        {"a": ints(2), "s": ints(1, 2, 4, 4)},
    ),
    "tile": ([node("Tile", "c r", "y")], {"r": ints(1, 1, 2, 1)}),
    "pad": ([node("Pad", "c p", "y")], {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)}),
    "resize": (
        [helper.make_node("Resize", ["c", "", "s"], ["y"])],
        {"s": np.array([1, 1, 2, 2], F)},
    ),
    "resize to sizes": (
        [helper.make_node("Resize", ["c", "", "", "s"], ["y"])],
        {"s": ints(1, 2, 8, 6)},
    ),
    "reshape to the counted batch": (
        [
            node("Shape", "c", "s"),
            node("Gather", "s i", "n"),
            node("Concat", "n r", "t", axis=0),
            node("Reshape", "c t", "y"),
        ],
        {"i": ints(0), "r": ints(-1)},
    ),
    "times the counted batch, which is 1": (
        [
            node("Shape", "c", "s"),
            node("Gather", "s i", "n"),
            node("Cast", "n", "m", to=1),
            node("Mul", "c m", "y"),
        ],
        {"i": ints(0)},
    ),
    "squeezed": ([node("ReduceMean", "c a", "m"), node("Squeeze", "m", "y")], {"a": ints(2, 3)}),
    "squeezed and back": (
        [
            node("Squeeze", "c z", "q"),
            node("Softmax", "q", "s", axis=0),
            node("Unsqueeze", "s z", "y"),
        ],
        {"z": ints(0)},
    ),
    "squeezed, then reduced": (
        [
            node("Squeeze", "c z", "q"),
            node("Transpose", "q", "t", perm=[1, 0, 2]),
            node("ReduceMax", "t a", "y", keepdims=0),
        ],
        {"z": ints(0), "a": ints(1)},
    ),
    "the first example": ([node("Gather", "c z", "g"), node("Relu", "g", "y")], {"z": np.array(0)}),
    "the first example of another axis": (
        [node("Transpose", "c", "t", perm=[1, 0, 2, 3]), node("Gather", "t z", "y", axis=1)],
        {"z": np.array(0)},
    ),
    "einsum": ([node("Einsum", "c k", "y", equation="nchw,cd->nhwd")], {"k": floats(2, 3)}),
    "attention of windows": (
        [
            node("Reshape", "c s", "q"),
            node("Attention", "q q q k", "a"),
            node("Reshape", "a t", "y"),
        ],
        {"s": ints(4, 1, 4, 2), "k": floats(4, 1, 4, 4), "t": ints(1, 32)},
    ),
    "every channel by itself": (
        [node("Reshape", "c s", "r"), node("GlobalAveragePool", "r", "y")],
        {"s": ints(2, 1, 4, 4)},
    ),
    "halves of twins": (
        [
            node("Relu", "c", "r"),
            node("Concat", "c r", "t", axis=0),
            node("Softmax", "t", "u"),
            node("Slice", "u o p z", "a"),
            node("Slice", "u z o z", "b"),
            node("Sub", "a b", "y"),
        ],
        {"z": ints(0), "o": ints(1), "p": ints(2)},
    ),
    "the last that counts": (
        [
            node("ReduceMax", "c a", "m", keepdims=0),
            node("ArgMax", "m", "p", axis=1, keepdims=1),
            node("Concat", "z p", "i", axis=1),
            node("GatherND", "c i", "y"),
        ],
        {"a": ints(2, 3), "z": ints([0])},
    ),
    "written in place": (
        [node("ScatterND", "c i u", "y")],
        {"i": ints([0, 1, 2], [0, 0, 3]), "u": floats(2, 4)},
    ),
    "computed and written in place": (
        [
            node("Gather", "c k", "g", axis=1),
            node("Tanh", "g", "u"),
            node("ScatterND", "c i u", "y"),
        ],
        {"k": ints(0), "i": ints([[0, 1]])},
    ),
    "elements looked up": (
        [node("GatherElements", "c i", "y", axis=3)],
        {"i": ints([[[0, 2]] * 4] * 2)[None, 0]},
    ),
    "sampled on one grid": (
        [node("GridSample", "c g", "y")],
        {"g": np.tanh(floats(1, 3, 3, 2))},
    ),
    "turned around in time": (
        [
            node("Reshape", "c s", "r"),
            node("Transpose", "r", "t", perm=[1, 0, 2]),
            node("ReverseSequence", "t l", "v", batch_axis=1, time_axis=0),
            node("Transpose", "v", "y", perm=[1, 0, 2]),
        ],
        {"s": ints(1, 2, 16), "l": ints(2)},
    ),
    "condition": (
        [node("Greater", "c k", "g"), node("Where", "g c k", "y")],
        {"k": floats(1, 1, 4, 1)},
    ),
    "lookup by example": (
        [node("ArgMax", "c", "i", axis=1, keepdims=0), node("Gather", "k i", "y")],
        {"k": floats(2, 5)},
    ),
}

KEPT = {
    "softmax over examples": (
        [node("Softmax", "c", "y", axis=0)],
        {},
        "'y': it works along the batch",
    ),
    "sum of all": ([node("ReduceSum", "c", "y")], {}, "takes the examples together"),
    "mean of a batch": (
        [node("ReduceMean", "c a", "y")],
        {"a": ints(0)},
        "takes the examples together",
    ),
    "two answers an example": ([node("Concat", "c c", "y", axis=0)], {}, "output 'y'"),
    "something behind the examples": (
        [node("Concat", "c k", "y", axis=0)],
        {"k": floats(1, 2, 4, 4)},
        "behind the examples",
    ),
    "padded batch": (
        [node("Pad", "c p", "y")],
        {"p": ints(1, 0, 0, 0, 0, 0, 0, 0)},
        "before or behind the examples",
    ),
    "repeated examples": (
        [node("Tile", "c r", "y")],
        {"r": ints(2, 1, 1, 1)},
        "repeats the examples",
    ),
    "statistics of training": (
        [node("BatchNormalization", "c k k k k", "y a b", training_mode=1)],
        {"k": np.ones(2, F)},
        "statistics over all examples",
    ),
    "running sum": ([node("CumSum", "c i", "y")], {"i": ints(0)}, "works along the batch"),
    "examples by each other": (
        [node("Flatten", "c", "f"), node("Transpose", "f", "t"), node("MatMul", "f t", "y")],
        {},
        "multiplies examples by each other",
    ),
    "outer product": (
        [
            node("ReduceMean", "c a", "f", keepdims=0),
            node("Transpose", "f", "t"),
            node("MatMul", "t f", "y"),
        ],
        {"a": ints(2, 3)},
        "adds up over the examples",
    ),
    "scale of all": ([node("DynamicQuantizeLinear", "c", "y s z")], {}, "scale from all examples"),
    "numbers over all": (
        [node("MaxPool", "c", "y i", kernel_shape=[2, 2]), node("Cast", "i", "z", to=1)],
        {},
        "numbers places over all",
    ),
    "picked from others": (
        [node("ArgMax", "c", "p", axis=1), node("Flatten", "p", "f"), node("Gather", "c f", "y")],
        {},
        "looks up one example in another",
    ),
    "what is not 0": ([node("NonZero", "c", "y")], {}, "no rule"),
    "turned around": (
        [node("Slice", "c a b e t", "y")],
        {"a": ints(-1), "b": ints(-9), "e": ints(0), "t": ints(-1)},
        "parts the examples",
    ),
}


def assert_examples_apart(network, old, inputs, counts=(2, 3)):
    """What the network answers for several examples is what the old model answers for each."""
    for count in counts:
        parts = [inputs(index) for index in range(count)]
        together = network.run(
            {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )
        for index, part in enumerate(parts):
            for (name, answer), alone in zip(together.items(), outputs(old, **part), strict=True):
                one = np.split(answer, count)[index].reshape(alone.shape)
                np.testing.assert_allclose(one, alone, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", FREED)
def test_freed(name):
    nodes, arrays = FREED[name]
    lines = []
    network = load(nodes, report=lines.append, **arrays)
    assert network.inputs[0].shape == ("n", 3, 4, 4), lines
    assert network.outputs[0].shape[0] == "n" and "tried with 2" in lines[-1]
    x = floats(3, 3, 4, 4)
    assert_examples_apart(network, made(nodes, arrays), lambda index: {"x": x[index : index + 1]})
    assert allotrope.load(network.to_onnx()).inputs[0].shape == ("n", 3, 4, 4)


@pytest.mark.parametrize("name", KEPT)
def test_kept(name):
    nodes, arrays, reason = KEPT[name]
    lines = []
    network = load(
        nodes, repair=Repair.without(["batch-normalization"]), report=lines.append, **arrays
    )
    assert network.inputs[0].shape == (1, 3, 4, 4)
    assert [n.operator for n in network.graph.nodes] == ["Conv", *(n.op_type for n in nodes)]
    assert "the batch of 1 stays fixed" in lines[-1] and reason in lines[-1]


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
    assert "stays fixed: Loop 'again': there is no rule" in lines[-1]


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
