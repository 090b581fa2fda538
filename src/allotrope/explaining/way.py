"""Which values of a network stand for the steps of a picture's way: kernels, maps, pooling, dense.

A network that lacks a step has None there; nothing is put in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.ends import end_of
from allotrope.network.rewriting.feature_maps import before, behind
from allotrope.network.rewriting.lookup import Lookup

ACTIVATIONS = frozenset(
    """
    Celu Clip Elu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu Relu Selu Sigmoid Softplus
    Softsign Swish Tanh ThresholdedRelu
    """.split()  # noqa: SIM905 - a list would take a line a word
)
NORMALIZATIONS = frozenset(
    {
        *("BatchNormalization", "GroupNormalization", "InstanceNormalization"),
        *("LayerNormalization", "RMSNormalization"),
    }
)
WINDOWS = ("MaxPool", "AveragePool")
WHOLE = ("GlobalAveragePool", "GlobalMaxPool")
MEANS = ("Mean", "ReduceMean", "Reshape")
"""By these the answers of several networks, or of an example and its mirror image, become one."""


@dataclass(frozen=True)
class Convolution:
    """One convolution: what it takes and gives, [n, c, h, w] both, and its arrays' names."""

    node: Node
    taken: Value
    made: Value
    kernels: str
    bias: str


@dataclass(frozen=True)
class Changed:
    """What an operator makes of a value: of an activation, a normalization or a pooling."""

    operator: str
    node: Node
    taken: Value
    made: Value


@dataclass(frozen=True)
class Dense:
    """A layer that joins each number with each: features [n, i] and results [n, o].

    `turned`: its weights are [i, o], not [o, i].
    """

    taken: str
    made: str
    weights: str
    bias: str
    turned: bool


@dataclass(frozen=True)
class Way:
    """The steps of the way from the input `taken` to the output `answer`.

    `pixels` are the numbers of the input as floats, `logits` what the answers [n, k] are made of by
    the operator `ending`, if there is one. `voices`: how many networks, or views of the picture,
    answer together; the first is followed.
    """

    taken: str
    answer: str
    pixels: Value
    convolutions: tuple[Convolution, ...]
    normalization: Changed | None
    activation: Changed | None
    pooling: Changed | None
    whole_pooling: Changed | None
    dense: tuple[Dense, ...]
    logits: str
    ending: str
    attention: bool
    voices: int = 1


def way_through(network: Network, taken: str, answer: str) -> Way:
    """The way; a step is the first of its kind, the last layer that is dense is the classifier."""
    graph = Lookup(network.graph, network.weights)
    followed, voices = _first_voice(graph, answer)
    logits, behind_them = end_of(graph, followed)
    between = behind(graph, [taken]) & before(graph, logits)
    nodes = [node for node in graph.nodes() if node.outputs[0] in between and not node.domain]
    convolutions = tuple(filter(None, (_convolution(graph, node) for node in nodes)))
    after = _from_first(nodes, convolutions)
    activation = _first(graph, after, ACTIVATIONS)
    ending = "" if not behind_them else behind_them[-1].operator
    return Way(
        taken=taken,
        answer=answer,
        pixels=_pixels(graph, nodes),
        convolutions=convolutions,
        normalization=_between(graph, after, activation),
        activation=activation and _times_input(graph, activation),
        pooling=_of_places(_first(graph, nodes, WINDOWS)),
        whole_pooling=_of_places(_first(graph, nodes, WHOLE)),
        dense=tuple(filter(None, (_dense(graph, node) for node in nodes))),
        logits=logits,
        ending=ending,
        attention=any(_is_attention(graph, node) for node in nodes),
        voices=voices,
    )


def _first_voice(graph: Lookup, answer: str) -> tuple[str, int]:
    """The first of the answers whose mean the output is, and how many there are."""
    voices, name = 1, answer
    while (node := graph.maker(name, *MEANS)) is not None and end_of(graph, name)[0] == name:
        voices = max(voices, len(node.inputs) if node.operator == "Mean" else 1)
        name = node.inputs[0]
    if end_of(graph, name)[0] == name:
        return answer, 1
    return name, voices


def _pixels(graph: Lookup, nodes: Sequence[Node]) -> Value:
    """The first value that is of floats: raw pixels are whole numbers, without slopes."""
    values = (graph.known(node.outputs[0]) for node in nodes)
    return next(value for value in values if value is not None and value.dtype.kind == "f")


def _convolution(graph: Lookup, node: Node) -> Convolution | None:
    if node.operator != "Conv" or graph.rank(node.outputs[0]) != 4:
        return None
    taken, made = graph.known(node.inputs[0]), graph.known(node.outputs[0])
    if taken is None or made is None or node.inputs[1] not in graph.arrays:
        return None
    return Convolution(node, taken, made, node.inputs[1], node.input(2))


def _from_first(nodes: list[Node], convolutions: Sequence[Convolution]) -> list[Node]:
    """The nodes behind the first convolution; all, if there is none."""
    if not convolutions:
        return nodes
    return nodes[nodes.index(convolutions[0].node) + 1 :]


def _first(graph: Lookup, nodes: Iterable[Node], operators: Iterable[str]) -> Changed | None:
    wanted = frozenset(operators)
    for node in nodes:
        values = graph.known(node.inputs[0]), graph.known(node.outputs[0])
        if node.operator in wanted and values[0] is not None and values[1] is not None:
            return Changed(node.operator, node, values[0], values[1])
    return None


def _of_places(pooling: Changed | None) -> Changed | None:
    """The pooling if it is of maps."""
    if pooling is None or len(pooling.taken.shape or ()) != 4:
        return None
    return pooling


def _between(graph: Lookup, after: list[Node], activation: Changed | None) -> Changed | None:
    """What normalizes the numbers before they are activated."""
    if activation is None:
        return _first(graph, after, NORMALIZATIONS)
    return _first(graph, after[: after.index(activation.node)], NORMALIZATIONS)


def _times_input(graph: Lookup, activation: Changed) -> Changed:
    """A sigmoid by which its own input is multiplied is one function with it."""
    user = graph.only_user(activation.made.name)
    pair = {activation.made.name, activation.taken.name}
    if activation.operator != "Sigmoid" or user is None or set(user.inputs) != pair:
        return activation
    made = graph.known(user.outputs[0])
    assert made is not None
    return Changed("SiLU", activation.node, activation.taken, made)


def _dense(graph: Lookup, node: Node) -> Dense | None:
    """A product with weights; a bias that is added by a node of its own goes with it."""
    if node.operator not in ("Gemm", "MatMul") or graph.rank(node.outputs[0]) != 2:
        return None
    weights = node.inputs[1]
    if weights not in graph.arrays or node.attributes.get("transA"):
        return None
    made, bias = node.outputs[0], node.input(2)
    user = graph.only_user(made)
    if not bias and user is not None and user.operator == "Add":
        (other,) = [name for name in user.inputs if name != made] or [""]
        if other in graph.arrays:
            made, bias = user.outputs[0], other
    return Dense(node.inputs[0], made, weights, bias, not node.attributes.get("transB"))


def _is_attention(graph: Lookup, node: Node) -> bool:
    """Whether tokens take from each other here: a product of two results, or ONNX's operator."""
    if node.operator == "Attention":
        return True
    return node.operator == "MatMul" and all(name not in graph.arrays for name in node.inputs)
