"""The layers of a network that can be made narrower, and the widths that are tried of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from allotrope.network.network import Network
from allotrope.shrinking.groups import DependencyGroup, Groups

Widths = Callable[[str, int], Iterable[int]]
"""Gives the widths that are worth a trial for the layer of this name and width."""

MULTIPLE = 8
"""Kernels compute so many channels at once, or a multiple of it, on every processor of today."""
STEPS = 8
"""About so many widths of a layer are tried, because each is timed."""


def multiples(name: str, width: int) -> Iterator[int]:
    """The usual widths of a layer, the widest first: multiples of 8, of less if it is narrow."""
    step = MULTIPLE * max(1, round(width / (MULTIPLE * STEPS)))
    while step > 1 and 2 * step >= width:
        step //= 2
    yield from range((width - 1) // step * step, 0, -step)


@dataclass(frozen=True)
class NarrowableLayer:
    """Groups that take from the same axes of weights; the first of these weights names them.

    `width` is how many places that axis has, `widths` which it may have, the widest first. `order`
    are the numbers of the groups, that which is lost least first, and `lost` [groups + 1] how much
    importance goes with the first 0, 1, … of them; `gone` says how many of them go for a width.
    """

    name: str
    width: int
    widths: tuple[int, ...]
    order: tuple[int, ...]
    lost: np.ndarray
    gone: dict[int, int]
    weights: frozenset[str]

    def removed(self, width: int) -> tuple[int, ...]:
        """The numbers of the groups that go if the layer becomes so wide."""
        return self.order[: self.gone[width]]

    def lost_between(self, wide: int, narrow: int) -> float:
        """How much importance goes from one width to a narrower one."""
        return float(self.lost[self.gone[narrow]] - self.lost[self.gone[wide]])


def narrowable(
    network: Network, known: Groups, importance: np.ndarray, widths: Widths = multiples
) -> list[NarrowableLayer]:
    """The layers with their widths, in the order of `known`; at least one group of each stays.

    `importance`: [groups], in the order of `known`.
    """
    places = {group.number: place for place, group in enumerate(known)}
    layers = []
    for alike in known.alike():
        worth = np.array([importance[places[group.number]] for group in alike])
        layers.append(_layer(network, alike, worth, widths))
    return layers


def _layer(
    network: Network, alike: tuple[DependencyGroup, ...], worth: np.ndarray, widths: Widths
) -> NarrowableLayer:
    # Stable: of groups that are worth the same the first goes first, on every machine.
    order = np.argsort(worth, kind="stable")
    # Slices are in the order of the nodes: the first is of what makes the channels.
    weight, axis = alike[0].slices[0].weight, alike[0].slices[0].axis
    width = network.weights[weight].shape[axis]
    sizes = [_places(group, weight, axis) for group in alike]
    left = width - np.concatenate([[0], np.cumsum([sizes[place] for place in order])])
    gone = {int(count): number for number, count in enumerate(left[:-1])}
    tried = sorted(set(widths(weight, width)), reverse=True)
    return NarrowableLayer(
        name=weight,
        width=width,
        widths=tuple(n for n in tried if n in gone and n < width),
        order=tuple(alike[place].number for place in order),
        lost=np.concatenate([[0.0], np.cumsum(worth[order])]),
        gone=gone,
        weights=frozenset(name for name, _ in alike[0].axes),
    )


def _places(group: DependencyGroup, weight: str, axis: int) -> int:
    """How many places of this axis a group takes."""
    return sum(
        len(part.positions) for part in group.slices if (part.weight, part.axis) == (weight, axis)
    )
