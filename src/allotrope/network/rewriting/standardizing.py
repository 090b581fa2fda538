"""A network whose convolutions compute with standardized filters: mean 0 and deviation 1 of each.

Weight standardization, Qiao et al. 2019 (https://arxiv.org/abs/1903.10520), equation 7. It is what
trains, under the same names of weights; delivered are the filters as they are computed with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Node
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network
from allotrope.network.summary import is_normalized

LEAST = 1e-10
"""What is added to the variance, as in BiT (Kolesnikov et al. 2020): no filter is divided by 0."""


def filters(network: Network) -> tuple[str, ...]:
    """The weights of convolutions that learn and have several numbers to each output channel."""
    used = {
        node.inputs[1]: None
        for node in network.graph.nodes
        if node.operator == "Conv" and not node.domain and node.inputs[1] in network.trainable
    }
    return tuple(name for name in used if network.weights[name][0].size > 1)


def standardized(network: Network, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights by name, those of convolutions as `with_standardized_filters` computes them."""
    own = {name: _standard(weights[name]) for name in filters(network)}
    return {**weights, **own}


def _standard(weight: np.ndarray) -> np.ndarray:
    axes = tuple(range(1, weight.ndim))
    apart = weight - weight.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = np.sqrt((apart**2).mean(axis=axes, keepdims=True) + LEAST)
    return np.asarray(apart / deviation).astype(weight.dtype)


def with_standardized_filters(network: Network) -> Network:
    """The network with nodes that standardize each filter before it is computed with.

    Raises: UsageError if there is none, or nothing behind them is normalized: what deviates by 1
    in each filter would grow from layer to layer.
    """
    names = filters(network)
    if not names:
        raise UsageError("this network has no convolution whose filters could be standardized.")
    if not is_normalized(network):
        raise UsageError(
            "filters are standardized only where something is normalized behind them; this network "
            "has no normalization. Choose one, such as --normalization group."
        )
    return _Standardizing(network).done(names)


class _Standardizing:
    """One rewriting: the nodes that make filters of weights come before all others."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.taken = names_in(network.graph) | network.weights.keys()
        self.constants: dict[str, np.ndarray] = {}
        self.nodes: list[Node] = []

    def done(self, names: tuple[str, ...]) -> Network:
        made = {name: self._filter(name) for name in names}
        graph = self.network.graph
        nodes = [_taking(node, made) for node in graph.nodes]
        constants = {**graph.constants, **self.constants}
        changed = replace(graph, nodes=(*self.nodes, *nodes), constants=constants)
        return self.network.changed(graph=changed)

    def _filter(self, name: str) -> str:
        weight = self.network.weights[name]
        axes = self._constant(f"{name}.axes", np.arange(1, weight.ndim))
        least = self._constant(f"{name}.least", np.full((), LEAST, weight.dtype))
        mean = self._add("ReduceMean", f"{name}.mean", name, axes, keepdims=1)
        apart = self._add("Sub", f"{name}.apart", name, mean)
        square = self._add("Mul", f"{name}.square", apart, apart)
        variance = self._add("ReduceMean", f"{name}.variance", square, axes, keepdims=1)
        some = self._add("Add", f"{name}.some", variance, least)
        deviation = self._add("Sqrt", f"{name}.deviation", some)
        return self._add("Div", f"{name}.standard", apart, deviation)

    def _add(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        name = free_name(name, self.taken)
        self.nodes.append(Node(operator, inputs, (name,), attributes, name))
        return name

    def _constant(self, name: str, array: np.ndarray) -> str:
        name = free_name(name, self.taken)
        self.constants[name] = array
        return name


def _taking(node: Node, made: dict[str, str]) -> Node:
    """A convolution with filters that were made; any other node as it is."""
    if node.operator != "Conv" or node.domain:
        return node
    x, weight, *rest = node.inputs
    return replace(node, inputs=(x, made.get(weight, weight), *rest))
