"""A network that drops more than single features in training: channels, blocks, branches, weights.

It is what trains, as with blending: weights and outputs keep their names, in inference nothing is
dropped, and what is delivered has none of these nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Node
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup

FLOAT = 1
"""ONNX's number of float32."""
BLOCK = 7
"""The side of what DropBlock drops (Ghiasi et al. 2018), less where a feature map is smaller."""


@dataclass(frozen=True)
class Dropping:
    """The shares that are dropped: of channels, blocks of places, residual branches, weights."""

    channels: float = 0.0
    blocks: float = 0.0
    branches: float = 0.0
    weights: float = 0.0


def with_dropping(network: Network, dropping: Dropping) -> Network:
    """The network in the form that drops these; itself if nothing is dropped.

    Channels (Tompson et al. 2015) and blocks (Ghiasi et al. 2018) of what each convolution but the
    first takes; branches beside a shortcut (Huang et al. 2016), the last by the whole share and
    those before in proportion; weights of dense layers but the last (Wan et al. 2013, one mask for
    a batch).

    Raises: UsageError for what this network has no place for.
    """
    if dropping == Dropping():
        return network
    return _Dropping(network, dropping).done()


class _Dropping:
    """One rewriting: nodes in their order, with masks in front of those that take what is dropped.

    `layers` is how many layers with weights of their own a value is behind.
    """

    def __init__(self, network: Network, dropping: Dropping) -> None:
        self.network, self.dropping = network, dropping
        self.lookup = Lookup(network.graph, network.weights)
        self.taken = names_in(network.graph) | network.weights.keys()
        self.constants: dict[str, np.ndarray] = {}
        self.nodes: list[Node] = []
        self.maps: dict[str, str] = {}
        self.layers, self.behind = _layers(network)
        self.counts = dict.fromkeys(("channels", "blocks", "branches", "weights"), 0)

    def done(self) -> Network:
        branches = [each for node in self.network.graph.nodes if (each := self._branch(node))]
        for node in self.network.graph.nodes:
            inputs = list(node.inputs)
            if node.operator == "Conv" and self.layers.get(inputs[0], 0):
                inputs[0] = self._map(inputs[0])
            elif node.operator in ("Gemm", "MatMul") and self.dropping.weights:
                inputs[1] = self._weight(node)
            elif self.dropping.branches and (branch := self._branch(node)):
                share = self.dropping.branches * (branches.index(branch) + 1) / len(branches)
                inputs[inputs.index(branch)] = self._dropped(branch, share, 1, "branches")
            self.nodes.append(replace(node, inputs=tuple(inputs)))
        self._check()
        constants = {**self.network.graph.constants, **self.constants}
        graph = replace(self.network.graph, nodes=tuple(self.nodes), constants=constants)
        return self.network.changed(graph=graph)

    def _check(self) -> None:
        """Raises UsageError for what was asked for and has no place."""
        places = {
            "channels": "convolution behind another layer",
            "blocks": "convolution of pictures behind another layer",
            "branches": "branch beside a shortcut",
            "weights": "dense layer before the last",
        }
        lacking = [
            f"{what} to drop and no {place}"
            for what, place in places.items()
            if getattr(self.dropping, what) and not self.counts[what]
        ]
        if lacking:
            raise UsageError(f"this network has no {'; no '.join(lacking)}. Leave it out.")

    # --- what is dropped

    def _map(self, x: str) -> str:
        """What convolutions take of a value: all of them the same."""
        if x not in self.maps:
            self.maps[x] = self._masked(x)
        return self.maps[x]

    def _masked(self, x: str) -> str:
        shape = self.lookup.shape(x)
        sides = () if shape is None else shape[2:]
        if self.dropping.channels:
            x = self._dropped(x, self.dropping.channels, 2, "channels")
        if self.dropping.blocks and len(sides) == 2 and all(isinstance(n, int) for n in sides):
            x = self._without_blocks(x, (int(sides[0] or 1), int(sides[1] or 1)))
        return x

    def _weight(self, node: Node) -> str:
        """The weight of a dense layer that something else than an output is behind."""
        name = node.inputs[1]
        last = not any(self.layers[y] > self.layers[node.outputs[0]] for y in self._after(node))
        if name not in self.network.trainable or last:
            return name
        self.counts["weights"] += 1
        ratio = self._constant(f"{name}.ratio", np.float32(self.dropping.weights))
        return self._add("Dropout", [name, ratio], f"{name}.dropped")

    def _after(self, node: Node) -> set[str]:
        """The values that are made of what the node makes."""
        return {value for value, made in self.behind.items() if node.outputs[0] in made}

    def _branch(self, node: Node) -> str | None:
        """Of a sum of two values, that with more layers, if both are made of one value."""
        if node.operator != "Add" or any(name not in self.layers for name in node.inputs):
            return None
        first, second = node.inputs
        fewer, more = sorted(node.inputs, key=lambda name: self.layers[name])
        common = (self.behind[first] | {first}) & (self.behind[second] | {second})
        deepest = max((self.layers[name] for name in common), default=0)
        if self.layers[more] <= self.layers[fewer] or not deepest:
            return None
        return more

    def _dropped(self, x: str, share: float, axes: int, what: str) -> str:
        """x times a mask of its first axes, 1 / (1 - share) or 0."""
        self.counts[what] += 1
        name = f"{x}.{what}"
        rank = self.lookup.rank(x)
        if rank < 0:
            raise UsageError(f"the shape of '{x}' is not known, so that no {what} can be dropped.")
        rest = self._constant(f"{name}.rest", np.arange(axes, rank))
        largest = self._add("ReduceMax", [x, rest], f"{name}.largest", keepdims=1)
        ones = self._ones(largest, name)
        ratio = self._constant(f"{name}.ratio", np.float32(share))
        mask = self._add("Dropout", [ones, ratio], f"{name}.mask")
        fitting = self._add("CastLike", [mask, x], f"{name}.fitting")
        return self._add("Mul", [x, fitting], f"{name}.dropped")

    def _without_blocks(self, x: str, sides: tuple[int, int]) -> str:
        """x without squares around places that are drawn, the rest raised to the same sum."""
        self.counts["blocks"] += 1
        name, side = f"{x}.blocks", min(BLOCK, *sides)
        side -= (side + 1) % 2
        # Squares may reach over the edge, so that none of the paper's correction is needed.
        share = self.dropping.blocks / side**2
        one = self._constant(f"{name}.one", np.ones((), np.float32))
        ones = self._ones(x, name)
        ratio = self._constant(f"{name}.ratio", np.float32(share))
        centers = self._add("Dropout", [ones, ratio], f"{name}.centers")
        drawn = self._add("Sign", [centers], f"{name}.drawn")
        gone = self._add("Sub", [one, drawn], f"{name}.gone")
        window = {"kernel_shape": (side, side), "pads": (side // 2,) * 4, "strides": (1, 1)}
        spread = self._add("MaxPool", [gone], f"{name}.squares", **window)
        left = self._add("Sub", [one, spread], f"{name}.left")
        mean = self._add("ReduceMean", [left], f"{name}.mean", keepdims=1)
        least = self._constant(f"{name}.least", np.full((), 1e-3, np.float32))
        some = self._add("Max", [mean, least], f"{name}.some")
        mask = self._add("Div", [left, some], f"{name}.mask")
        fitting = self._add("CastLike", [mask, x], f"{name}.fitting")
        return self._add("Mul", [x, fitting], f"{name}.dropped")

    def _ones(self, x: str, name: str) -> str:
        """1 for every number of x, made of x itself: a constant could not be dropped from."""
        return self._add("Cast", [self._add("Equal", [x, x], name)], f"{name}.ones", to=FLOAT)

    # --- nodes

    def _add(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        name = self._fresh(name)
        self.nodes.append(Node(operator, tuple(inputs), (name,), attributes, name))
        return name

    def _constant(self, name: str, array: Any) -> str:
        name = self._fresh(name)
        self.constants[name] = np.asarray(array)
        return name

    def _fresh(self, name: str) -> str:
        return free_name(name, self.taken)


def _layers(network: Network) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Of each value made of inputs: how many layers it is behind, and what it is made of."""
    layers: dict[str, int] = {value.name: 0 for value in network.inputs}
    made: dict[str, set[str]] = {value.name: set() for value in network.inputs}
    for node in network.graph.nodes:
        sources = [name for name in node.inputs if name in layers]
        own = node.operator in ("Conv", "Gemm", "MatMul") and any(
            name in network.weights for name in node.inputs
        )
        if not sources:
            continue
        for output in filter(None, node.outputs):
            layers[output] = max(layers[name] for name in sources) + own
            made[output] = set(sources).union(*(made[name] for name in sources))
    return layers, made
