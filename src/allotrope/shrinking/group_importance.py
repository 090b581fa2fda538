"""What a network would lose with each of its groups: by its weights, or by the task's loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from allotrope.frameworks.contract import Batch
from allotrope.network.network import Network
from allotrope.network.summary import NORMALIZATIONS
from allotrope.shrinking.groups import DependencyGroup, Groups
from allotrope.training.loss_gradients import GradientsOf


def magnitude(network: Network, known: Groups) -> np.ndarray:
    """How large the weights of each group are: float64 [groups], in the order of `known`.

    The squares of a weight are measured in the mean of its layer, so that large layers and small
    ones weigh alike; the mean of a group is divided by the sum of all of its layer that are at
    least as large (LAMP, Lee et al. 2021, arxiv.org/abs/2010.07611), so that a layer of which much
    is gone already is spared. A group counts by each axis that it is cut out of: a residual channel
    is that of many layers.
    """
    energies = _energies(network, known)
    places = {group.number: place for place, group in enumerate(known)}
    importance = np.zeros(len(known))
    for layer in known.alike():
        rows = np.array([places[group.number] for group in layer])
        means = np.array([_mean_energy(group, energies) for group in layer])
        importance[rows] = len(layer[0].axes & energies.keys()) * _by_larger_ones(means)
    return importance


def taylor(
    network: Network, known: Groups, gradients: GradientsOf, batches: Iterable[Batch]
) -> np.ndarray:
    """How much the loss would change without each group: float64 [groups], in the order of `known`.

    `gradients`: those of the task's loss by trainable weight, as `loss_gradients` gives them.
    The first term of its series (Molchanov et al. 2019, arxiv.org/abs/1906.10771): the sum of
    weight times gradient over all weights of the group, squared, as the mean over batches. State,
    such as running statistics, has no gradient and no part in it.
    """
    batch_means = np.zeros(len(known))
    count = 0
    for count, batch in enumerate(batches, 1):
        products = {
            name: network.weights[name].astype(np.float64) * slope
            for name, slope in gradients(batch).items()
        }
        change = np.array([_change(group, products) for group in known])
        batch_means += (change**2 - batch_means) / count
    return batch_means


def _change(group: DependencyGroup, products: Mapping[str, np.ndarray]) -> float:
    """The sum of a group's products; a weight that two of its axes reach counts by each."""
    return sum(
        float(products[part.weight].take(part.positions, part.axis).sum())
        for part in group.slices
        if part.weight in products
    )


def _energies(network: Network, known: Groups) -> dict[tuple[str, int], np.ndarray]:
    """The squares of each weight by place of each axis that groups take from; their mean is 1.

    Of arrays of one axis only the scales of normalizations say how much a channel does.
    """
    nodes = network.graph.nodes
    scales = {node.input(1) for node in nodes if node.operator in NORMALIZATIONS}
    energies = {}
    for name, axis in sorted(frozenset().union(*(group.axes for group in known))):
        array = network.weights[name].astype(np.float64)
        if array.ndim > 1 or name in scales:
            others = tuple(other for other in range(array.ndim) if other != axis)
            squares = (array**2).sum(axis=others)
            energies[name, axis] = squares / (squares.mean() or 1.0)
    return energies


def _mean_energy(group: DependencyGroup, energies: Mapping[tuple[str, int], np.ndarray]) -> float:
    """The mean over the axes that a group takes from."""
    parts = [part for part in group.slices if (part.weight, part.axis) in energies]
    means = [energies[part.weight, part.axis][list(part.positions)].mean() for part in parts]
    return float(np.mean(means)) if means else 0.0


def _by_larger_ones(values: np.ndarray) -> np.ndarray:
    """Each number by the sum of itself and of those that stand before it, the largest first."""
    order = np.argsort(-values, kind="stable")
    sums = np.cumsum(values[order])
    shares = np.zeros(len(values))
    np.divide(values[order], sums, out=shares, where=sums > 0)
    return shares[np.argsort(order)]
