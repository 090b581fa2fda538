"""The last layer of a network: where it is, and another in its place for other classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.graph import Node
from allotrope.network.initialize import draw, fan_in_uniform
from allotrope.network.network import Network
from allotrope.network.rewriting.flow import PASSING
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter

BEHIND = frozenset(
    """
    AveragePool Cast Dropout Flatten GlobalAveragePool GlobalMaxPool Identity MaxPool Pad ReduceMean
    Relu Reshape Squeeze Transpose
    """.split()  # noqa: SIM905 - a list would take a line a word
)
"""What may stand between the last layer and the logits, such as the pooling behind a 1x1
convolution."""
SCALING = frozenset({"Div", "Mul"})
"""What may stand there too, with a single number, as a temperature."""


@dataclass(frozen=True)
class Head:
    """The last layer: a Gemm, MatMul or Conv with its weights, and what stands behind it.

    `bias` is the Add of its bias if that is a node of its own.
    """

    layer: Node
    bias: Node | None
    behind: tuple[Node, ...]
    weights: frozenset[str]


def head_of(network: Network) -> Head | None:
    """The last layer; None if the network ends in something else."""
    graph = Lookup(network.graph, network.weights)
    name, bias, behind = network.outputs[0].name, None, list[Node]()
    # From the output backwards, through what may stand behind the last layer, to the first node
    # that is a product with a weight.
    while (node := graph.maker(name)) is not None and not node.domain:
        sources = [_source(graph, taken) for taken in node.inputs]
        if node.operator in ("Gemm", "MatMul", "Conv") and sources[1] in network.weights:
            added = () if bias is None else (_source(graph, taken) for taken in bias.inputs)
            # A bias is part of the layer, whether as an input of its own or as an Add behind it.
            own = network.trainable.intersection([*sources[1:], *added])
            return Head(node, bias, tuple(behind), own)
        position = _passed(graph, node, sources)
        # The first Add of an array behind a MatMul is its bias. A second is something else.
        if node.operator == "Add" and bias is None and any(sources):
            bias, position = node, 0 if sources[1] else 1
        elif position is not None:
            behind.append(node)
        else:
            return None
        name = node.inputs[position]
    return None


def _passed(graph: Lookup, node: Node, sources: Sequence[str]) -> int | None:
    """Which input a node that may stand behind the last layer passes on; None if it may not."""
    if node.operator in BEHIND:
        return 0
    if node.operator not in SCALING:
        return None
    numbers = [i for i, name in enumerate(sources) if name and graph.arrays[name].size == 1]
    # x / 2 scales x, 2 / x does not.
    if not numbers or (node.operator == "Div" and numbers != [1]):
        return None
    return 1 - numbers[0]


def _source(graph: Lookup, name: str) -> str:
    """The array that a value is a form of; empty if it is none."""
    while (node := graph.maker(name)) is not None and node.operator in PASSING:
        name = node.inputs[0]
    return name if name in graph.arrays else ""


def with_new_head(network: Network, classes: int, seed: int) -> tuple[Network, frozenset[str]]:
    """The network with fresh weights in its last layer, for so many classes, and their names.

    The weights are drawn as PyTorch's Linear begins, from the stream of (seed, name); biases begin
    with 0.

    Raises: UnsupportedError if there is no last layer of a kind that can be replaced.
    """
    head = head_of(network)
    if head is None or head.layer.attributes.get("group", 1) != 1:
        last = str(network.graph.nodes[-1]) if network.graph.nodes else "nothing"
        raise UnsupportedError(
            f"no last layer was found to replace: the network ends in {last}, expected a Gemm, "
            f"MatMul or Conv with weights, and behind it nothing but {', '.join(sorted(BEHIND))}, "
            f"and {' or '.join(sorted(SCALING))} by a number. "
            "Cut the file off behind its last layer."
        )
    return _Replacing(network, head, classes, seed).done()


class _Replacing:
    """One replacement: new arrays, and the nodes that take them."""

    def __init__(self, network: Network, head: Head, classes: int, seed: int) -> None:
        self.network, self.head, self.classes, self.seed = network, head, classes, seed
        self.rewriter = Rewriter(network.graph, network.weights)
        layer = head.layer
        # Filters of a Conv and rows of a transposed weight are classes, else columns are.
        self.rows_are_classes = layer.operator == "Conv" or bool(layer.attributes.get("transB", 0))
        self.old = self._shape(layer.inputs[1])[0 if self.rows_are_classes else -1]

    def done(self) -> tuple[Network, frozenset[str]]:
        """The network, and the names of the new weights."""
        rewriter, layer, bias = self.rewriter, self.head.layer, self.head.bias
        # From the layer on to the output, so that each is made of what was already replaced.
        rewriter.replace(layer.outputs, [self._layer()])
        if bias is not None:
            rewriter.replace(bias.outputs, [self._added(bias)])
        for node in self.head.behind:
            if node.operator == "Reshape":
                rewriter.replace(node.outputs, [self._reshaped(node)])
        rewriter.give(self.network.outputs[0])
        # Its shape was of the old classes, and is worked out anew.
        rewriter.forget(layer.outputs[0])
        return rewriter.applied_to(self.network), frozenset(rewriter.weights)

    def _layer(self) -> Node:
        """The layer with its weights, and its bias if it has one, anew."""
        layer = self.head.layer
        name, shape = self._name(layer.inputs[1]), self._shape(layer.inputs[1])
        rows = (self.classes, *(shape[1:] if self.rows_are_classes else shape[:1]))
        drawn = draw(fan_in_uniform, self.seed, name, rows)
        # Drawn with classes as rows in either case, so that the same network exported the other way
        # round begins with the same weights.
        self._put(name, drawn if self.rows_are_classes else drawn.T, layer.inputs[1])
        layer = layer.with_input(1, name)
        return layer.with_input(2, self._zeros(layer.inputs[2])) if layer.input(2) else layer

    def _added(self, node: Node) -> Node:
        names = (self._zeros(name) if self._source(name) else name for name in node.inputs)
        return replace(node, inputs=tuple(names))

    def _reshaped(self, node: Node) -> Node:
        """A Reshape that spells the old number of classes out says the new one."""
        target = self.rewriter.arrays.get(node.inputs[1])
        if target is None or self.old not in target:
            return node
        new = np.where(target == self.old, self.classes, target)
        return node.with_input(1, self.rewriter.constant(f"{node.inputs[1]}/classes", new))

    def _zeros(self, old: str) -> str:
        name, shape = self._name(old), self._shape(old)
        # A bias is [k] in a Gemm and may be [1, k] or [k, 1, 1] in an Add.
        lengths = tuple(self.classes if length == self.old else length for length in shape)
        self._put(name, np.zeros(lengths, np.float32), old)
        return name

    def _source(self, name: str) -> str:
        return _source(self.rewriter, name)

    def _name(self, old: str) -> str:
        """The name of the old array, unless something else uses it too."""
        source = self._source(old)
        # Tied weights, as of an embedding, stay what they are for the other user.
        uses = sum(name == source for node in self.network.graph.nodes for name in node.inputs)
        if uses == 1 and source in self.network.weights:
            return source
        return self.rewriter.fresh(f"{source}.new")

    def _put(self, name: str, array: np.ndarray, old: str) -> None:
        before = self.rewriter.arrays.get(self._source(old))
        # A network in float16 stays one throughout.
        dtype = np.float32 if before is None else before.dtype
        self.rewriter.put(name, np.ascontiguousarray(array, dtype=dtype))
        self.rewriter.trainable.add(name)

    def _shape(self, name: str) -> tuple[int, ...]:
        shape = self.rewriter.shape(name)
        if shape is None or not all(isinstance(length, int) for length in shape):
            raise UnsupportedError(
                f"the shape of '{name}', which the last layer takes, is not known: {shape}."
            )
        return tuple(int(length or 0) for length in shape)
