"""Several answers to one task in one network, each with a loss of its own, and their mean.

What a network answers is the output of the task's name, the mean of its members. Trained by the
loss of that mean, members would lean on each other; each by its own loss, they err apart (TabM,
Gorishniy et al., ICLR 2025, https://arxiv.org/abs/2410.24210, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from allotrope.network.network import Network
from allotrope.network.used import without_unused
from allotrope.network.zoo.tabular import MEMBERS

OutputLoss = Callable[[Any, Any, Any, Any], Any]
"""loss(p, output [n, k], target [n, k], weight or None) -> a scalar, the weighted mean."""


def loss_of_members(p: Any, loss: OutputLoss, members: Any, target: Any, weight: Any | None) -> Any:
    """The mean loss of all members: [n, m * size], target [n, size], weight [n, …] or None.

    Every example stands there m times, once with the answer of each.
    """
    count, size = p.shape(target)
    several = p.shape(members)[1] // size
    answers = p.reshape(p.cast(members, p.dtype(target)), (count * several, size))
    repeated = _repeated(p, target, several)
    return loss(p, answers, repeated, None if weight is None else _repeated(p, weight, several))


def _repeated(p: Any, array: Any, times: int) -> Any:
    """Each row of an array [n, …] so many times, one after the other."""
    count, *rest = p.shape(array)
    apart = p.reshape(array, (count, 1, *rest))
    return p.reshape(p.broadcast_to(apart, (count, times, *rest)), (count * times, *rest))


def without_members(network: Network) -> Network:
    """The network as it is delivered: the mean alone."""
    names = {value.name for value in network.outputs}
    means = tuple(
        value
        for value in network.outputs
        if not (value.name.endswith(MEMBERS) and value.name.removesuffix(MEMBERS) in names)
    )
    if len(means) == len(network.outputs):
        return network
    return network.changed(graph=without_unused(replace(network.graph, outputs=means)))
