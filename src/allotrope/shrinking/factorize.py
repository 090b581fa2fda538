"""Layers of low rank: a dense or 1x1 layer as two, with fewer weights in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Node
from allotrope.network.names import listed
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.shrinking.layer_widths import MULTIPLE

ENERGY = 0.95
"""How much of the sum of a weight's squares is left at the least."""
GAIN = 0.005
"""A layer is only taken apart if the network is faster by this share of what it takes."""
TRIED = 4
"""So many ranks are timed for a layer: the least that has the energy, on the steps of kernels."""


@dataclass(frozen=True)
class FactorizableLayer:
    """A node whose weight can be the product of two.

    `matrix`: [made, taken], the weight as it is multiplied with columns of what the node takes.
    """

    node: Node
    weight: str
    matrix: np.ndarray

    @property
    def full_rank(self) -> int:
        """The rank at which nothing is lost."""
        return min(self.matrix.shape)

    @property
    def most(self) -> int:
        """The largest rank that has fewer weights than the layer has."""
        made, taken = self.matrix.shape
        return (made * taken - 1) // (made + taken)

    @cached_property
    def decomposed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The singular value decomposition: [made, full rank], [full rank], [full rank, taken]."""
        u, values, v = np.linalg.svd(self.matrix, full_matrices=False)
        return u, values, v

    def factors(self, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """[rank, taken] and [made, rank], whose product is the nearest matrix of that rank.

        By the largest singular values (Eckart and Young 1936).
        """
        u, values, v = self.decomposed
        roots = np.sqrt(values[:rank])
        return roots[:, None] * v[:rank], u[:, :rank] * roots

    def energies(self) -> np.ndarray:
        """The share of the sum of squares that is left at rank 1, 2, …: [full rank]."""
        squares = self.decomposed[1] ** 2
        total = squares.sum()
        return np.cumsum(squares) / total if total > 0 else np.ones(len(squares))


@dataclass(frozen=True)
class ChosenRank:
    """A layer's rank, the energy that it leaves, and the seconds that the network saves by it."""

    rank: int
    full_rank: int
    energy: float
    saved: float


def factorizable(network: Network) -> dict[str, FactorizableLayer]:
    """The layers that can be taken apart, by the name of their weight.

    Dense ones (Gemm, MatMul) and convolutions of single places in one group. A weight that more
    than one node takes stays: it is one parameter.
    """
    users: dict[str, int] = {}
    for node in network.graph.nodes:
        for name in node.inputs:
            users[name] = users.get(name, 0) + 1
    layers = {}
    for node in network.graph.nodes:
        weight = node.input(1)
        if weight in network.weights and users[weight] == 1 and not node.domain:
            matrix = _matrix(node, network.weights[weight])
            if matrix is not None:
                layers[weight] = FactorizableLayer(node, weight, matrix.astype(np.float64))
    return layers


def factorized(
    network: Network,
    ranks: Mapping[str, int],
    known: Mapping[str, FactorizableLayer] | None = None,
) -> Network:
    """The network with each of these layers as two, of this rank in between.

    `ranks` are by the name of the weight. Both factors learn if the weight does; the singular
    values are shared out evenly, so that both have gradients of a size. At full rank it answers as
    before. `known`: what `factorizable` gives for this network, if it is there already.

    Raises: one UsageError for weights of no such layer and for ranks that it cannot have.
    """
    layers = factorizable(network) if known is None else known
    _check(network, layers, ranks)
    rewriter = Rewriter(network.graph, network.weights)
    for weight, rank in ranks.items():
        layer = layers[weight]
        first, second = layer.factors(rank)
        names = [
            rewriter.weight(
                f"{weight}_{end}",
                _as_weight(layer.node, factor, network.weights[weight]),
                trainable=weight in network.trainable,
            )
            for end, factor in (("reduce", first), ("expand", second))
        ]
        hidden = rewriter.fresh(f"{layer.node.outputs[0]}_reduced")
        rewriter.replace(layer.node.outputs, _two(layer.node, names, hidden))
    return rewriter.applied_to(network)


def low_ranks(
    network: Network, seconds_of: Callable[[Network], float], energy: float = ENERGY
) -> dict[str, ChosenRank]:
    """The ranks that leave so much of each weight's energy and make the network faster.

    Layer by layer, by what `seconds_of` says of the network with that layer as two: of the ranks on
    a multiple of 8 from the least that leaves the energy, the fastest. Layers that gain nothing are
    not in it.

    Raises: UsageError for an energy that is not between 0 and 1.
    """
    if not 0 < energy <= 1:
        raise UsageError(f"energy {energy:g}: expected more than 0 and at most 1.")
    before = seconds_of(network)
    layers = factorizable(network)
    chosen = {}
    for weight, layer in layers.items():
        energies = layer.energies()
        times = {
            rank: seconds_of(factorized(network, {weight: rank}, layers))
            for rank in _tried(layer, energies, energy)
        }
        if not times:
            continue
        rank = min(times, key=lambda rank: (times[rank], -rank))
        saved = before - times[rank]
        if saved > GAIN * before:
            left = float(energies[rank - 1])
            chosen[weight] = ChosenRank(rank, layer.full_rank, left, saved)
    return chosen


def _tried(layer: FactorizableLayer, energies: np.ndarray, energy: float) -> Iterator[int]:
    # Rounding must not ask for more than full rank has.
    least = 1 + int(np.searchsorted(energies, energy - 1e-12))
    start = -(-least // MULTIPLE) * MULTIPLE
    ranks = [least] if layer.most < MULTIPLE else range(start, layer.most + 1, MULTIPLE)
    yield from (rank for rank in list(ranks)[:TRIED] if rank <= layer.most)


def _matrix(node: Node, weight: np.ndarray) -> np.ndarray | None:
    """The weight as [made, taken]; None if the node is not one that can be taken apart."""
    if weight.dtype.kind != "f":
        return None
    if node.operator == "MatMul" and weight.ndim == 2:
        return weight.T
    if node.operator == "Gemm":
        return weight if node.attributes.get("transB", 0) else weight.T
    if node.operator != "Conv" or node.attributes.get("group", 1) != 1:
        return None
    if weight.size != weight.shape[0] * weight.shape[1]:
        return None
    # A convolution of single places: a matrix, with axes of length 1 behind.
    return weight.reshape(weight.shape[:2])


def _as_weight(node: Node, factor: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A factor as the node takes it."""
    if node.operator == "MatMul" or (node.operator == "Gemm" and not node.attributes.get("transB")):
        factor = factor.T
    return np.ascontiguousarray(factor.reshape(*factor.shape, *weight.shape[2:]), weight.dtype)


def _two(node: Node, weights: list[str], hidden: str) -> tuple[Node, Node]:
    """The nodes in the place of one: the first takes what it took, the second ends as it did.

    Strides and padding are the first one's, which has no bias: what is padded stays 0. What is
    added and how all is scaled is the second one's.
    """
    attributes = dict(node.attributes)
    names = (f"{node.label}_reduce", f"{node.label}_expand")
    before, after = attributes, attributes
    if node.operator == "Gemm":
        transposed = {"transB": attributes.get("transB", 0)}
        before = {"transA": attributes.get("transA", 0), **transposed}
        after = {key: attributes[key] for key in ("alpha", "beta") if key in attributes}
        after |= transposed
    elif node.operator == "Conv":
        after = {key: attributes[key] for key in ("kernel_shape",) if key in attributes}
    first = Node(node.operator, (node.inputs[0], weights[0]), (hidden,), before, names[0])
    inputs = (hidden, weights[1], *node.inputs[2:])
    return first, replace(node, inputs=inputs, attributes=after, name=names[1])


def _check(
    network: Network, layers: Mapping[str, FactorizableLayer], ranks: Mapping[str, int]
) -> None:
    problems = []
    unknown = sorted(ranks.keys() - layers.keys())
    if unknown:
        known = listed(sorted(layers)) or "none"
        problems.append(f"{listed(unknown)} are weights of no layer of which there are {known}")
    for weight in sorted(ranks.keys() & layers.keys()):
        full = layers[weight].full_rank
        if not 1 <= ranks[weight] <= full:
            problems.append(f"rank {ranks[weight]} of '{weight}' is not between 1 and {full}")
    if problems:
        raise UsageError(
            f"network '{network.graph.name}' cannot be factorized so: {'; '.join(problems)}."
        )
