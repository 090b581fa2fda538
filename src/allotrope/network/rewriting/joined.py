"""Several networks in one: trunks side by side, and a head for each of several answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError, UsageError
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.initialize import Initializer, draw, fan_in_uniform, he_normal, zeros
from allotrope.network.names import free_name, names_in, renamed
from allotrope.network.network import Network
from allotrope.network.rewriting.head import head_of
from allotrope.network.used import without_unused

FEATURES = "features"


@dataclass(frozen=True)
class Trunk:
    """A network without its last layer: its only output is `features` [n, `size`].

    `scale` is what the outputs of the last layer were multiplied by, for heads to keep.
    """

    network: Network
    size: int
    scale: float = 1.0


def trunk_of(network: Network) -> Trunk:
    """All of a network but its last layer and what stands behind that.

    Raises: UnsupportedError if it has no last layer that takes one row of features an example.
    """
    head = head_of(network)
    source = "" if head is None else head.layer.inputs[0]
    # A network of a single layer has its own input for features.
    known = {value.name: value for value in network.inputs} | dict(network.graph.values)
    features = known.get(source)
    shape = None if features is None else features.shape
    if features is None or shape is None or len(shape) != 2 or not isinstance(shape[1], int):
        raise UnsupportedError(
            f"the network has no last layer behind a row of features [n, f]: found {shape}. "
            "Take one that ends in a dense layer."
        )
    # What stood behind the features is used by nobody now, and goes with the last layer.
    graph = replace(network.graph, outputs=(features,))
    trunk = network.changed(graph=without_unused(graph))
    return Trunk(trunk.renamed({source: FEATURES}), shape[1], _scale(network))


def _scale(network: Network) -> float:
    """The number by which the last layer's outputs are multiplied, 1 if there is none."""
    last = network.graph.nodes[-1]
    factors = [network.graph.constants.get(name) for name in last.inputs]
    numbers = [float(array) for array in factors if array is not None and array.size == 1]
    return numbers[0] if last.operator == "Mul" and numbers else 1.0


def joined(trunks: Mapping[str, Trunk]) -> Trunk:
    """Trunks of one input each side by side, their features one after another.

    The input of each has the name that it has in `trunks`, and all else of it that name in front.
    A single trunk keeps its names.
    """
    if len(trunks) == 1:
        ((name, only),) = trunks.items()
        return replace(only, network=only.network.renamed({only.network.inputs[0].name: name}))
    parts = [_apart(name, trunk.network) for name, trunk in trunks.items()]
    graphs = [part.graph for part in parts]
    # Features of all inputs one after another: a dense layer behind them sees each with every
    # other.
    size = sum(trunk.size for trunk in trunks.values())
    ends = tuple(graph.outputs[0].name for graph in graphs)
    output = Value(FEATURES, graphs[0].outputs[0].dtype, ("n", size))
    together = Node("Concat", ends, (FEATURES,), {"axis": 1}, FEATURES)
    graph = Graph(
        tuple(value for graph in graphs for value in graph.inputs),
        (output,),
        (*(node for graph in graphs for node in graph.nodes), together),
        {name: array for graph in graphs for name, array in graph.constants.items()},
        {name: value for graph in graphs for name, value in graph.values.items()},
        name="-".join(graph.name for graph in graphs),
    )
    weights = {name: array for part in parts for name, array in part.weights.items()}
    trainable = frozenset(name for part in parts for name in part.trainable)
    return Trunk(Network(graph, weights, trainable), size)


def _apart(name: str, network: Network) -> Network:
    """The network with a name in front of all of its own, so that another can stand beside it."""
    (x,) = network.inputs
    # Two trunks of one family have the same names throughout, and a graph has each name once.
    every = names_in(network.graph) | set(network.weights)
    names = {old: f"{name}.{old}" for old in every if old} | {x.name: name}
    graph = renamed(network.graph, names)
    nodes = tuple(replace(node, name=f"{name}.{node.name}") for node in graph.nodes)
    weights = {names[old]: array for old, array in network.weights.items()}
    return Network(replace(graph, nodes=nodes), weights, {names[old] for old in network.trainable})


def with_heads(trunk: Trunk, sizes: Mapping[str, int], seed: int, hidden: int = 0) -> Network:
    """The trunk with a dense layer of its own for each output, by name [n, size].

    Weights are called `head.NAME.weight` and `head.NAME.bias`; each is drawn as PyTorch's Linear
    begins, from the stream of (seed, name), and its outputs have the trunk's scale. With `hidden`
    a shared dense layer of so many units, and a Relu, mix the features first.

    Raises: UsageError if an output has the name of something else.
    """
    adding = _Adding(trunk.network)
    features, size = FEATURES, trunk.size
    if hidden:
        features, size = adding.dense("mixed", features, size, hidden, seed, he_normal), hidden
        features = adding.node("Relu", (features,), "mixed.relu")
    for name, outputs in sizes.items():
        if name in adding.taken:
            raise UsageError(
                f"a task cannot be called '{name}': the network has that name already."
            )
        adding.taken.add(name)
        # What is behind the layer has the task's name then, since that is the output's.
        scaled = trunk.scale != 1
        behind = f"head.{name}" if scaled else name
        y = adding.dense(f"head.{name}", features, size, outputs, seed, fan_in_uniform, behind)
        if scaled:
            scale = adding.constant(f"head.{name}.scale", np.asarray(trunk.scale, np.float32))
            adding.node("Mul", (y, scale), name)
    return adding.network(sizes)


class _Adding:
    """Layers behind a trunk, whose names are free."""

    def __init__(self, trunk: Network) -> None:
        self.trunk = trunk
        self.taken = names_in(trunk.graph) | set(trunk.weights)
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self.weights: dict[str, np.ndarray] = {}

    def dense(
        self,
        name: str,
        x: str,
        inputs: int,
        outputs: int,
        seed: int,
        draw_by: Initializer,
        y: str = "",
    ) -> str:
        """A dense layer with bias; gives the name of its output."""
        # A trunk may have a weight of this name; then one near it is free.
        weight, bias = (free_name(f"{name}.{part}", self.taken) for part in ("weight", "bias"))
        self.weights[weight] = draw(draw_by, seed, weight, (outputs, inputs))
        self.weights[bias] = draw(zeros, seed, bias, (outputs,))
        return self.node("Gemm", (x, weight, bias), y or name, {"transB": 1})

    def constant(self, name: str, array: np.ndarray) -> str:
        """A constant under this name, or one near it."""
        name = free_name(name, self.taken)
        self.constants[name] = np.asarray(array)
        return name

    def node(
        self,
        operator: str,
        inputs: tuple[str, ...],
        y: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """A node that makes `y`."""
        self.nodes.append(Node(operator, inputs, (y,), dict(attributes or {}), y))
        return y

    def network(self, sizes: Mapping[str, int]) -> Network:
        """The trunk and what was added, with an output for each of `sizes`."""
        graph, dtype = self.trunk.graph, np.dtype(np.float32)
        graph = replace(
            graph,
            outputs=tuple(Value(name, dtype, ("n", size)) for name, size in sizes.items()),
            nodes=(*graph.nodes, *self.nodes),
            constants={**graph.constants, **self.constants},
        )
        trainable = self.trunk.trainable | self.weights.keys()
        return self.trunk.changed(graph=graph, weights=self.weights, trainable=trainable)
