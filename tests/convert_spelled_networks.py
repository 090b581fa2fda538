"""Networks that no ordinary lines say, each with inputs of several lengths."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import allotrope
from allotrope.network.build import Builder

RANDOM = np.random.default_rng(0)


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def model(nodes, inputs, outputs, arrays, opset=20):
    """A network of ONNX nodes, inputs and outputs given as (name, dtype, shape)."""
    values = [
        [helper.make_tensor_value_info(*one) for one in several] for several in (inputs, outputs)
    ]
    initializers = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "spelled", *values, initializers)
    return allotrope.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))


def branches():
    """If on a number that is given, with weights in its branches.

    Loop with a state and weights in its body; Scan over a sequence.
    """
    node, value = helper.make_node, helper.make_tensor_value_info

    def dense(name):
        out = value(f"{name}.y", TensorProto.FLOAT, None)
        return helper.make_graph(
            [node("MatMul", ["x", f"{name}.weight"], [f"{name}.y"])], name, [], [out]
        )

    body = helper.make_graph(
        [
            node("MatMul", ["h", "loop.weight"], ["p"]),
            node("Tanh", ["p"], ["h2"]),
            node("Identity", ["c"], ["c2"]),
        ],
        "body",
        [
            value("i", TensorProto.INT64, []),
            value("c", TensorProto.BOOL, []),
            value("h", TensorProto.FLOAT, None),
        ],
        [value(n, t, None) for n, t in (("c2", TensorProto.BOOL), ("h2", TensorProto.FLOAT))],
    )
    step = helper.make_graph(
        [node("Add", ["s", "e"], ["s2"]), node("Mul", ["s2", "scan.scale"], ["o"])],
        "step",
        [value(n, TensorProto.FLOAT, None) for n in ("s", "e")],
        [value(n, TensorProto.FLOAT, None) for n in ("s2", "o")],
    )
    nodes = [
        node("Equal", ["rate", "sixteen"], ["is_fast"]),
        node(
            "If",
            ["is_fast"],
            ["y"],
            then_branch=dense("fast"),
            else_branch=dense("slow"),
            name="choice",
        ),
        node("Loop", ["three", "", "y"], ["z"], body=body, name="repeat"),
        node("Scan", ["first", "z"], ["last", "all"], body=step, num_scan_inputs=1, name="sums"),
        node("Add", ["all", "last"], ["out"]),
    ]
    arrays = {name: 0.5 * floats(4, 4) for name in ("fast.weight", "slow.weight", "loop.weight")}
    arrays |= {
        "sixteen": np.array(1),
        "three": np.array(3),
        "first": np.zeros(4, np.float32),
        "scan.scale": floats(4),
    }
    inputs = [("x", TensorProto.FLOAT, ["n", 4]), ("rate", TensorProto.INT64, [])]
    network = model(nodes, inputs, [("out", TensorProto.FLOAT, ["n", 4])], arrays)
    return network, [(floats(2, 4), np.array(1)), (floats(5, 4), np.array(0))]


def free_text():
    """Positions cut to the length of the text, a one-hot code, a mask from lengths."""
    b = Builder("text")
    ids, table = b.input("ids", "int64", ("n", "t")), b.weight("words.weight", floats(11, 6))
    shape = b.add("Shape", [ids])
    length = b.add("Gather", [shape, b.constant(np.array(1))])
    end = b.add("Unsqueeze", [length, b.constant(np.array([0]))])
    places = b.add(
        "Slice",
        [
            b.constant(np.arange(16)[None]),
            b.constant(np.array([0])),
            end,
            b.constant(np.array([1])),
        ],
    )
    x = b.add(
        "Add",
        [
            b.add("Gather", [table, ids]),
            b.add("Gather", [b.weight("positions.weight", floats(16, 6)), places]),
        ],
    )
    hot = b.add("OneHot", [ids, b.constant(np.array(11)), b.constant(np.array([0, 1], np.float32))])
    x = b.add("Concat", [x, hot], {"axis": 2})
    rows = b.add("Range", [b.constant(np.array(0)), length, b.constant(np.array(1))])
    across, down = (b.add("Unsqueeze", [rows, b.constant(np.array([axis]))]) for axis in (0, 1))
    before = b.add("LessOrEqual", [across, down])
    mixed = b.add("MatMul", [b.add("Cast", [before], {"to": 1}), x])
    b.output(b.add("Div", [mixed, b.add("Cast", [length], {"to": 1})]), "y")
    return b.network(), [(RANDOM.integers(0, 11, (n, t)),) for n, t in ((2, 7), (3, 1))]


def free_picture():
    """A U-Net's way up: resized to the size of what came down.

    Uneven pads of a transposed convolution.
    """
    b = Builder("picture")
    x = b.input("x", "float32", ("n", 3, "h", "w"))
    deep = b.add(
        "Conv",
        [x, b.weight("down.weight", floats(4, 3, 3, 3))],
        {"strides": (2, 2), "pads": (1, 1, 1, 1)},
    )
    deep = b.add(
        "ConvTranspose",
        [deep, b.weight("up.weight", floats(4, 4, 3, 3))],
        {"strides": (2, 2), "pads": (0, 1, 1, 0)},
    )
    first, third, fifth = (b.constant(np.array([axis])) for axis in (0, 2, 4))
    channels = b.add("Slice", [b.add("Shape", [deep]), first, third])
    size = b.add("Slice", [b.add("Shape", [x]), third, fifth])
    sizes = b.add("Concat", [channels, size], {"axis": 0})
    deep = b.add("Resize", [deep, "", "", sizes], {"mode": "linear"})
    b.output(b.add("Concat", [x, deep], {"axis": 1}), "y")
    return b.network(), [(floats(2, 3, 8, 8),), (floats(1, 3, 9, 12),)]


def recurrent_with_states():
    """LSTM whose states come in and go out, by the batch's first axis.

    a GRU that resets before the matrix.
    """
    b = Builder("recurrent")
    x = b.input("x", "float32", ("t", "n", 3))
    states = [b.input(name, "float32", (1, "n", 4)) for name in ("h", "c")]
    arrays = [
        b.weight("lstm.W", floats(1, 16, 3)),
        b.weight("lstm.R", floats(1, 16, 4)),
        b.weight("lstm.B", floats(1, 32)),
    ]
    y, h, c = b.add("LSTM", [x, *arrays, "", *states], {"hidden_size": 4, "clip": 2.0}, outputs=3)
    y = b.add("Squeeze", [y, b.constant(np.array([1]))])
    y, _ = b.add(
        "GRU",
        [y, b.weight("gru.W", floats(1, 6, 4)), b.weight("gru.R", floats(1, 6, 2))],
        {"hidden_size": 2},
        outputs=2,
    )
    b.output(y, "y")
    b.output(h, "h_out")
    b.output(c, "c_out")
    return b.network(), [
        (floats(t, n, 3), floats(1, n, 4), floats(1, n, 4)) for t, n in ((5, 2), (1, 3))
    ]


def zero_state():
    """A state of zeros, as many as the batch has rows, times weights and plus a bias."""
    b = Builder()
    x = b.input("x", "float32", ("n", 5))
    rows = b.add("Gather", [b.add("Shape", [x]), b.constant(np.array(0))])
    rows = b.add("Unsqueeze", [rows, b.constant(np.array([0]))])
    shape = b.add("Concat", [rows, b.constant(np.array([6]))], {"axis": 0})
    state = b.add("ConstantOfShape", [shape], {"value": np.zeros(1, np.float32)})
    first = b.add("MatMul", [state, b.weight("w", floats(6, 4))])
    second = b.add("MatMul", [x, b.weight("u", floats(5, 4))])
    first = b.add("Add", [first, b.weight("b", floats(4))])
    b.output(b.add("Tanh", [b.add("Add", [first, second])]), "y")
    return b.network(), [(floats(n, 5),) for n in (2, 7)]


NETWORKS = {
    "branches": branches,
    "free_text": free_text,
    "free_picture": free_picture,
    "recurrent": recurrent_with_states,
    "zero_state": zero_state,
}
