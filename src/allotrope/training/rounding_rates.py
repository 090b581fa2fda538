"""How fast the steps of a rounding learn beside the weights that they round."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from allotrope.network.network import Network
from allotrope.optimizer_options import OPTIMIZER_OPTIONS

RELATIVE = 1.0
"""How many times the learning rate a step may change, as a part of itself, if the optimizer brings
every gradient to one size."""
LEVELS = 127
"""Of an integer of 8 bits, on one side of 0."""


def rates_of_steps(network: Network, optimizer: str) -> Mapping[str, float]:
    """By what the learning rate of each step is multiplied; empty if nothing is rounded.

    A step's gradient is a sum over all that it rounds: without adaptation it is divided by the
    root of the count times the levels (Esser et al. 2020, arxiv.org/abs/1902.08153).
    """
    rates = {}
    for node in network.graph.nodes:
        if node.operator == "QuantizeLinear" and node.inputs[1] in network.trainable:
            step = network.weights[node.inputs[1]]
            if OPTIMIZER_OPTIONS[optimizer].adaptive:
                rates[node.inputs[1]] = RELATIVE * float(np.abs(step).mean())
            else:
                count = _numbers(network, node.inputs[0]) / step.size
                rates[node.inputs[1]] = 1 / math.sqrt(max(count, 1.0) * LEVELS)
    return rates


def _numbers(network: Network, name: str) -> float:
    """How many numbers a weight or an example of a value has; lengths that are free count 1."""
    if name in network.weights:
        return float(network.weights[name].size)
    known = {value.name: value for value in network.graph.inputs} | dict(network.graph.values)
    value = known.get(name)
    shape = () if value is None or value.shape is None else value.shape
    return float(math.prod(length for length in shape if isinstance(length, int)))
