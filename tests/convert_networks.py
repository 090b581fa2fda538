"""Networks that `convert` is tested on: every kind of layer.

Their weights are none of the usual zeros and ones.
"""

import numpy as np

from allotrope import networks
from allotrope.network.build import Builder
from allotrope.network.graph import Graph
from allotrope.network.names import renamed
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.network.rewriting.ensemble import apart
from softmaxed import with_probabilities


def varied(network):
    """The network with every vector of weights moved, as after training.

    A bias that is left out shows.
    """
    rng = np.random.default_rng(0)

    def moved(name, array):
        if name.endswith("running_var"):
            return rng.uniform(0.5, 2, array.shape).astype(array.dtype)
        learns = name in network.trainable or name.endswith("running_mean")
        return (
            array + rng.normal(0, 0.2, array.shape).astype(array.dtype)
            if array.ndim == 1 and learns
            else array
        )

    return network.with_weights(
        {name: moved(name, array) for name, array in network.weights.items()}
    )


class Weights:
    """Random weights for a builder, drawn in order."""

    def __init__(self, builder):
        self.builder, self.random = builder, np.random.default_rng(3)

    def __call__(self, name, *shape, scale=0.5, trainable=True):
        return self.builder.weight(
            name,
            (self.random.standard_normal(shape) * scale).astype(np.float32),
            trainable=trainable,
        )


def zoo(name, side=32, **options):
    """A network of the zoo with moved weights."""
    return varied(networks.NETWORKS[name](classes=4, image=(3, side, side), **options))


def delivered():
    """Raw pixels in, probabilities out."""
    network = zoo("resnet8", side=16, dropout=0.1)
    prepared = with_preprocessing(network, [120, 110, 100], [60, 61, 62])
    return with_probabilities(prepared, ["a", "b", "c", "d"])


def recurrent(operator, gates, direction="forward", **attributes):
    """An embedding, a recurrent layer over [t, b], and a linear layer on its last state."""
    b = Builder(operator.lower())
    weight, d = Weights(b), 2 if direction == "bidirectional" else 1
    tokens = b.input("tokens", "int64", ("t", "b"))
    x = b.add("Gather", [weight("embedding.weight", 20, 6), tokens])
    arrays = [
        weight("rnn.W", d, gates * 5, 6),
        weight("rnn.R", d, gates * 5, 5),
        weight("rnn.B", d, 2 * gates * 5),
    ]
    y, last = b.add(
        operator,
        [x, *arrays],
        {"hidden_size": 5, "direction": direction, **attributes},
        outputs=2,
        name="rnn",
    )
    b.output(b.add("ReduceMean", [y, b.constant(np.array([1]))], {"keepdims": 0}), "states")
    flat = b.add(
        "Reshape", [b.add("Transpose", [last], {"perm": (1, 0, 2)}), b.constant(np.array([0, -1]))]
    )
    b.output(
        b.add("Gemm", [flat, weight("fc.weight", 3, 5 * d), weight("fc.bias", 3)], {"transB": 1}),
        "logits",
    )
    return b.network()


def transformer(heads=2, size=8, length=6):
    """One encoder block of its parts, as exporters write it.

    The table of tokens is used again for the logits.
    """
    b = Builder("transformer")
    weight = Weights(b)
    table = weight("tokens.weight", 11, size)
    x = b.add("Gather", [table, b.input("ids", "int64", ("n", length))])
    x = b.add("Add", [x, weight("positions", length, size)])

    def dense(x, name, before, after):
        y = b.add("MatMul", [x, weight(f"{name}.weight", before, after)])
        return b.add("Add", [y, weight(f"{name}.bias", after)], name=name)

    def split(x, perm):
        shape = b.constant(np.array([0, length, heads, size // heads]))
        return b.add("Transpose", [b.add("Reshape", [x, shape])], {"perm": perm})

    y = b.add(
        "LayerNormalization",
        [x, weight("block.norm1.weight", size), weight("block.norm1.bias", size)],
        {"axis": -1},
    )
    q, k, v = (dense(y, f"block.attention.{part}", size, size) for part in "qkv")
    scores = b.add("MatMul", [split(q, (0, 2, 1, 3)), split(k, (0, 2, 3, 1))])
    scores = b.add("Mul", [scores, b.constant(np.float32((size / heads) ** -0.5))])
    mixed = b.add("MatMul", [b.add("Softmax", [scores], {"axis": -1}), split(v, (0, 2, 1, 3))])
    merged = b.add(
        "Reshape",
        [
            b.add("Transpose", [mixed], {"perm": (0, 2, 1, 3)}),
            b.constant(np.array([0, length, size])),
        ],
    )
    x = b.add("Add", [x, dense(merged, "block.attention.out", size, size)])
    y = b.add(
        "LayerNormalization",
        [x, weight("block.norm2.weight", size), weight("block.norm2.bias", size)],
        {"axis": -1},
    )
    y = dense(b.add("Gelu", [dense(y, "block.mlp.up", size, 16)]), "block.mlp.down", 16, size)
    x = b.add("Add", [x, y])
    b.output(b.add("MatMul", [x, b.add("Transpose", [table], {"perm": (1, 0)})]), "logits")
    return b.network()


def layers():
    """Transposed, grouped, dilated and one-sided convolution, the poolings, PReLU and slices.

    Their names are no paths.
    """
    b = Builder("layers")
    weight = Weights(b)
    x = b.input("data:0", "float32", ("n", 4, 12, 12))
    x = b.add(
        "Conv",
        [x, weight("onnx::Conv_12", 6, 4, 3, 3), weight("onnx::Conv_13", 6)],
        {"pads": (0, 0, 1, 1)},
        name="/net/Conv",
    )
    x = b.add("PRelu", [x, weight("slope", 6, 1, 1)])
    x = b.add(
        "ConvTranspose",
        [x, weight("up/kernel", 6, 4, 3, 3)],
        {"strides": (2, 2), "pads": (1, 1, 1, 1), "output_padding": (1, 1)},
    )
    x = b.add(
        "Conv",
        [x, weight("0.weight", 4, 1, 3, 3)],
        {"group": 4, "dilations": (2, 2), "pads": (2, 2, 2, 2)},
    )
    x = b.add("AveragePool", [x], {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)})
    x = b.add("MaxPool", [x], {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1})
    x = b.add(
        "InstanceNormalization",
        [x, weight("norm.scale", 4), weight("norm.shift", 4)],
        {"epsilon": 1e-3},
    )
    left, right = b.add("Split", [x], {"axis": 1, "num_outputs": 2}, outputs=2)
    x = b.add(
        "Concat",
        [b.add("HardSwish", [right]), b.add("LeakyRelu", [left], {"alpha": 0.2})],
        {"axis": 1},
    )
    bounds = [b.constant(np.array(values)) for values in ([1], [6], [2])]
    x = b.add("Mul", [b.add("Slice", [x, *bounds]), weight("gain", 4, 1, 1)])
    b.output(b.add("ReduceMean", [x, b.constant(np.array([2, 3]))], {"keepdims": 0}), "train")
    return b.network()


def attention():
    """ONNX's Attention, of which each query sees no later key."""
    b = Builder("attention")
    ends = {"q": (3, 4, 8), "k": (3, 6, 8), "v": (3, 6, 5)}
    parts = [b.input(name, "float32", ("n", *shape)) for name, shape in ends.items()]
    b.output(b.add("Attention", parts, {"is_causal": 1}), "mixed")
    return b.network()


def together(first, **others):
    """Networks that know nothing of each other as one: a conversion of it is one of them all.

    The first keeps its names, which are no paths; others get theirs in front.
    """
    parts = [first, *(_apart(network, name) for name, network in others.items())]
    graphs = [part.graph for part in parts]
    graph = Graph(
        tuple(value for graph in graphs for value in graph.inputs),
        tuple(value for graph in graphs for value in graph.outputs),
        tuple(node for graph in graphs for node in graph.nodes),
        {name: array for graph in graphs for name, array in graph.constants.items()},
        {name: value for graph in graphs for name, value in graph.values.items()},
        name="together",
    )
    weights = {name: array for part in parts for name, array in part.weights.items()}
    return Network(graph, weights, {name for part in parts for name in part.trainable})


def _apart(network, name):
    """The network with a name in front of all of its own, its inputs too."""
    inside = apart(network, name)
    names = {value.name: f"{name}.{value.name}" for value in network.inputs}
    return Network(renamed(inside.graph, names), inside.weights, inside.trainable)


NETWORKS = {
    "attention": attention,
    "delivered": delivered,
    "groups": lambda: zoo("cnn", side=12, width=0.25, normalization="group", activation="silu"),
    "gru": lambda: recurrent("GRU", 3, linear_before_reset=1),
    "layers": layers,
    "lstm": lambda: recurrent("LSTM", 4, "bidirectional"),
    "mobilenet_v2": lambda: zoo("mobilenet_v2", width=0.25),
    "transformer": transformer,
    "whitened_cnn": lambda: zoo("whitened_cnn", side=16, channels=(8, 16)),
}
