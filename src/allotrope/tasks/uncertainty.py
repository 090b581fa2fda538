"""What each of several tasks counts, learned by its uncertainty (Kendall, Gal and Cipolla 2018).

The loss is the sum of exp(-s) L + s / 2 over tasks, in which s is the logarithm of a variance: a
task whose errors stay large counts less (https://arxiv.org/abs/1705.07115). The s are weights of
the network, so that frameworks, checkpoints and the moving average treat them as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.used import without_unused

NAME = "task.log_variances"
"""The output that gives the s, one for each task."""
WEIGHT = "task.log_variances.weight"
BOUND = 5.0
"""No s is further from 0: a task counts at most exp(5) = 148 times what it counted at first."""


def with_log_variances(network: Network, count: int) -> Network:
    """The network with so many s, which begin at 0, as a further output [count]."""
    graph = network.graph
    node = Node("Identity", (WEIGHT,), (NAME,), {}, NAME)
    output = Value(NAME, np.dtype(np.float32), (count,))
    graph = replace(graph, outputs=(*graph.outputs, output), nodes=(*graph.nodes, node))
    weights = {WEIGHT: np.zeros(count, np.float32)}
    return network.changed(graph=graph, weights=weights, trainable=network.trainable | {WEIGHT})


def without_log_variances(network: Network) -> Network:
    """The network as it is delivered."""
    outputs = tuple(value for value in network.outputs if value.name != NAME)
    if len(outputs) == len(network.outputs):
        return network
    graph = replace(network.graph, outputs=outputs)
    return network.changed(graph=without_unused(graph))


def uncertain(p: Any, losses: list[Any], outputs: Mapping[str, Any]) -> Any:
    """The sum of the losses [()], each by its s.

    The bound is smooth, 5 tanh(s / 5), so that an s that reaches it still finds back.
    """
    s = p.multiply(p.tanh(p.divide(outputs[NAME], BOUND)), BOUND)
    total = p.multiply(p.sum(s), 0.5)
    for index, loss in enumerate(losses):
        own = p.reshape(p.slice(s, (index,), (index + 1,), (1,)), ())
        total = p.add(total, p.multiply(loss, p.exp(p.negative(own))))
    return total
