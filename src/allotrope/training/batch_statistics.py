"""The statistics of BatchNormalization estimated anew, as a network that was cut needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Arrays
from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter

MEAN, VARIANCE = "mean", "variance"
Probes = Mapping[tuple[str, str], tuple[str, str]]
"""By the weights of a BatchNormalization: which outputs give the mean and variance of a batch."""


def with_new_statistics(network: Network, batches: Iterable[Arrays], framework: str) -> Network:
    """The network with running means and variances that are averages over these batches.

    It is run in training mode, so that every layer sees what the layers before it make of a batch.
    No gradient is computed and no other weight changes; the order of the batches does not matter.
    """
    probed, probes = _probed(network)
    if not probes:
        return network
    run = find_framework(framework).run
    totals: dict[str, np.ndarray] = {}
    count = 0
    for inputs in batches:
        count += 1
        for name, x in run(probed, inputs, training=True).items():
            # In float64, as thousands of numbers are added up.
            totals[name] = totals.get(name, 0) + x.astype(np.float64)
    if not count:
        return network
    return network.with_weights(
        {
            weight: totals[output] / count
            for weights, outputs in probes.items()
            for weight, output in zip(weights, outputs, strict=True)
        }
    )


def _probed(network: Network) -> tuple[Network, Probes]:
    """A network that gives the statistics of what each BatchNormalization takes, and which."""
    rewriter = Rewriter(network.graph, network.weights)
    probes = {}
    for node in list(rewriter.nodes()):
        if _estimates(network, rewriter, node):
            probes[node.inputs[3], node.inputs[4]] = _probe(rewriter, node)
    if not probes:
        return network, {}
    names = [name for pair in probes.values() for name in pair]
    rewriter.give(*(Value(name, np.dtype(np.float32), None) for name in names))
    return rewriter.applied_to(network), probes


def _estimates(network: Network, rewriter: Rewriter, node: Node) -> bool:
    """Whether it is a BatchNormalization whose statistics are state of the network."""
    if node.operator != "BatchNormalization" or node.domain:
        return False
    return rewriter.rank(node.inputs[0]) >= 2 and set(node.inputs[3:5]) <= network.weights.keys()


def _probe(rewriter: Rewriter, node: Node) -> tuple[str, str]:
    """Nodes that give the mean and the biased variance of each channel of what it takes."""
    x = node.inputs[0]
    # All axes but the second, which is that of the channels: examples, and places if there are.
    axes = np.array([0, *range(2, rewriter.rank(x))], np.int64)
    over = rewriter.constant(f"{x}.axes", axes)
    mean = rewriter.append("ReduceMean", [x, over], f"{x}.{MEAN}", {"keepdims": 1})
    apart = rewriter.append("Sub", [x, mean], f"{x}.apart")
    square = rewriter.append("Mul", [apart, apart], f"{x}.square")
    flat = {"keepdims": 0}
    return (
        rewriter.append("ReduceMean", [x, over], f"{x}.{MEAN}", flat),
        rewriter.append("ReduceMean", [square, over], f"{x}.{VARIANCE}", flat),
    )
