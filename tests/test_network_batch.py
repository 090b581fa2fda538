"""A batch that an exporter baked in: freed if examples stay apart, left and said if not."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

import allotrope
from allotrope.config import Repair
from baked import F, assert_examples_apart, floats, load, made
from onnx_models import ints, node

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
        "(node 'y'): it works along the batch",
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
