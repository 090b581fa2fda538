"""The last layer of a network: found, and replaced where the classes are others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.graph import Node, Value
from allotrope.network.initialize import draw, fan_in_uniform
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network
from allotrope.network.rewriting.flow import PASSING
from allotrope.network.used import without_unused

BEHIND = frozenset(
    """
    AveragePool Cast Dropout Flatten GlobalAveragePool GlobalMaxPool Identity MaxPool Pad ReduceMean Relu Reshape Squeeze Transpose
    """.split()  # noqa: SIM905 - a list would take a line a word
)
"""What may stand between the last layer and the logits, such as the pooling behind a 1x1 convolution."""
SCALING = frozenset({"Div", "Mul"})
"""What may stand there too, with a single number, as a temperature."""


@dataclass(frozen=True)
class Head:
    """The last layer: a Gemm, MatMul or Conv, the Add of its bias where that is a node of its own, and what stands behind it."""

    layer: Node
    bias: Node | None
    behind: tuple[Node, ...]
    weights: frozenset[str]


def head_of(network: Network) -> Head | None:
    """The last layer; None where the network ends in something else."""
    makers = {name: node for node in network.graph.nodes for name in node.outputs}
    bias: Node | None = None
    name, behind = network.outputs[0].name, list[Node]()
    while (node := makers.get(name)) is not None and not node.domain:
        sources = [_source(network, taken, makers) for taken in node.inputs]
        if node.operator in ("Gemm", "MatMul", "Conv") and sources[1] in network.weights:
            added = [_source(network, taken, makers) for taken in (bias.inputs if bias else ())]
            return Head(node, bias, tuple(behind), frozenset(name for name in (*sources[1:], *added) if name in network.trainable))
        if node.operator == "Add" and bias is None and any(sources):
            bias, name = node, node.inputs[0 if sources[1] else 1]
        elif (passed := _passed(network, node, sources)) is not None:
            behind.append(node)
            name = node.inputs[passed]
        else:
            return None
    return None


def _passed(network: Network, node: Node, sources: list[str]) -> int | None:
    """Which input a node that may stand behind the last layer passes on; None where it may not."""
    if node.operator in BEHIND:
        return 0
    if node.operator not in SCALING:
        return None
    arrays = {**network.graph.constants, **network.weights}
    numbers = [index for index, name in enumerate(sources) if name and arrays[name].size == 1]
    return 1 - numbers[0] if numbers and (node.operator == "Mul" or numbers == [1]) else None


def _source(network: Network, name: str, makers: dict[str, Node]) -> str:
    """The array that a value is a form of; empty where it is none."""
    while (node := makers.get(name)) is not None and node.operator in PASSING:
        name = node.inputs[0]
    return name if name in network.weights or name in network.graph.constants else ""


def with_new_head(network: Network, classes: int, seed: int) -> tuple[Network, frozenset[str]]:
    """The network with fresh weights in its last layer, for so many classes, and their names.

    The weights are drawn as PyTorch's Linear begins, from the stream of (seed, name); biases begin with 0.

    Raises: UnsupportedError where there is no last layer of a kind that can be replaced.
    """
    head = head_of(network)
    if head is None or head.layer.attributes.get("group", 1) != 1:
        last = network.graph.nodes[-1] if network.graph.nodes else None
        found = str(last) if last else "nothing"
        raise UnsupportedError(
            f"no last layer was found to replace: the network ends in {found}, expected a Gemm, MatMul or Conv with weights, "
            f"and behind it nothing but {', '.join(sorted(BEHIND))}, and {' or '.join(sorted(SCALING))} by a number. "
            "Cut the file off behind its last layer."
        )
    return _Replacing(network, head, classes, seed).done()


class _Replacing:
    """One replacement: new arrays, and the nodes that take them."""

    def __init__(self, network: Network, head: Head, classes: int, seed: int) -> None:
        self.network, self.head, self.classes, self.seed = network, head, classes, seed
        self.makers = {name: node for node in network.graph.nodes for name in node.outputs}
        self.taken = names_in(network.graph) | set(network.weights)
        self.weights: dict[str, np.ndarray] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.old = self._shape(head.layer.inputs[1])[0 if self._rows_are_classes() else -1]

    def done(self) -> tuple[Network, frozenset[str]]:
        """The network, and the names of the new weights."""
        changed = {self.head.layer.outputs[0]: self._layer()}
        if self.head.bias is not None:
            changed[self.head.bias.outputs[0]] = self._added(self.head.bias)
        changed |= {node.outputs[0]: self._reshaped(node) for node in self.head.behind if node.operator == "Reshape"}
        network, graph = self.network, self.network.graph
        nodes = tuple(changed.get(node.outputs[0], node) for node in graph.nodes)
        output = network.outputs[0]
        constants = {**graph.constants, **self.constants}
        free = (Value(output.name, output.dtype, None),)
        graph = replace(graph, nodes=nodes, constants=constants, values={}, outputs=free)
        trainable = network.trainable | self.weights.keys()
        graph = without_unused(graph)
        network = network.changed(graph=graph, weights=self.weights, trainable=trainable)
        return network, frozenset(self.weights)

    def _rows_are_classes(self) -> bool:
        layer = self.head.layer
        return layer.operator == "Conv" or bool(layer.attributes.get("transB", 0))

    def _layer(self) -> Node:
        """The layer with its weights, and its bias where it has one, anew."""
        layer = self.head.layer
        shape = self._shape(layer.inputs[1])
        rows = (self.classes, *(shape[1:] if self._rows_are_classes() else shape[:1]))
        name = self._name(layer.inputs[1])
        drawn = draw(fan_in_uniform, self.seed, name, rows)
        self._put(name, drawn if self._rows_are_classes() else drawn.T, layer.inputs[1])
        inputs = [layer.inputs[0], name]
        if len(layer.inputs) > 2 and layer.inputs[2]:
            inputs.append(self._zeros(layer.inputs[2]))
        return replace(layer, inputs=tuple(inputs))

    def _added(self, node: Node) -> Node:
        return replace(node, inputs=tuple(self._zeros(name) if _source(self.network, name, self.makers) else name for name in node.inputs))

    def _reshaped(self, node: Node) -> Node:
        """A Reshape that spells the old number of classes out says the new one."""
        target = self.network.graph.constants.get(node.inputs[1])
        if target is None or self.old not in target:
            return node
        name = free_name(f"{node.inputs[1]}/classes", self.taken)
        self.constants[name] = np.where(target == self.old, self.classes, target)
        return replace(node, inputs=(node.inputs[0], name))

    def _zeros(self, old: str) -> str:
        name = self._name(old)
        shape = tuple(self.classes if length == self.old else length for length in self._shape(old))
        self._put(name, np.zeros(shape, np.float32), old)
        return name

    def _name(self, old: str) -> str:
        """The name of the old array, unless something else uses it too."""
        source = _source(self.network, old, self.makers)
        uses = sum(name == source for node in self.network.graph.nodes for name in node.inputs)
        return source if uses == 1 and source in self.network.weights else free_name(f"{source}.new", self.taken)

    def _put(self, name: str, array: np.ndarray, old: str) -> None:
        source = _source(self.network, old, self.makers)
        found = self.network.weights.get(source, self.network.graph.constants.get(source))
        self.weights[name] = np.ascontiguousarray(array, dtype=np.float32 if found is None else found.dtype)

    def _shape(self, name: str) -> tuple[int, ...]:
        array = self.network.weights.get(name, self.network.graph.constants.get(name))
        known = self.network.graph.values.get(name)
        shape = array.shape if array is not None else known.shape if known is not None else None
        if shape is None or not all(isinstance(length, int) for length in shape):
            raise UnsupportedError(f"the shape of '{name}', which the last layer takes, is not known: {shape}.")
        return tuple(int(length or 0) for length in shape)
