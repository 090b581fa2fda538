"""Several answers to one task in one network, each with a loss of its own, and their mean.

What a network answers is the output of the task's name, the mean of its members. Trained by the
loss of that mean, members would lean on each other; each by its own loss, they err apart (TabM,
Gorishniy et al., ICLR 2025, https://arxiv.org/abs/2410.24210, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.used import without_unused
from allotrope.network.zoo.tabular import MEMBERS

FLOAT = np.dtype(np.float32)
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


def with_members(network: Network) -> Network:
    """The network with its members' own answers again, as it was before `without_members`.

    An output has members if it is the mean over the first axis of what is made of weights
    [m, …]: answers [m, n, size].
    """
    rewriter = Rewriter(network.graph, network.weights)
    outputs = list(network.outputs)
    for output in network.outputs:
        node = rewriter.maker(output.name, "ReduceMean")
        if node is None or not _is_over_members(rewriter, node):
            continue
        rows = rewriter.append(
            "Transpose", node.inputs[:1], f"{output.name}.rows", {"perm": [1, 0, 2]}
        )
        name = f"{output.name}{MEMBERS}"
        outputs.append(Value(rewriter.append("Flatten", [rows], name, {"axis": 1}), FLOAT, None))
    if len(outputs) == len(network.outputs):
        return network
    rewriter.give(*outputs)
    return rewriter.applied_to(network)


def _is_over_members(lookup: Lookup, node: Node) -> bool:
    """Whether a mean [n, size] is over the first axis of [m, n, size]."""
    axes = lookup.arrays.get(node.inputs[1]) if len(node.inputs) > 1 else None
    first = axes is not None and axes.tolist() == [0]
    return first and node.attributes.get("keepdims") == 0 and lookup.rank(node.inputs[0]) == 3
