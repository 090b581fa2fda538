"""Between which numbers a value lies, as far as the nodes that make it tell."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from allotrope.network.graph import Node

Bounds = tuple[float, float]

ANYTHING: Bounds = (-math.inf, math.inf)

_WITHIN: Mapping[str, Bounds] = {
    "HardSigmoid": (0.0, 1.0),
    "Relu": (0.0, math.inf),
    "Sigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Softplus": (0.0, math.inf),
    "Tanh": (-1.0, 1.0),
}
"""Operators whose results lie between two numbers, whatever they are given."""

_PASSING = frozenset(
    """
    DepthToSpace Flatten Gather GlobalAveragePool GlobalMaxPool Identity MaxPool ReduceMean Reshape
    Slice SpaceToDepth Split Squeeze Transpose Unsqueeze
    """.split()  # noqa: SIM905 - a list would take a line a word
)
"""Operators whose results lie where their first input does."""

_FARTHEST = 32


def bounds_of(name: str, makers: Mapping[str, Node], arrays: Mapping[str, np.ndarray]) -> Bounds:
    """The lowest and the highest number that a value can have; infinite where nothing is known."""
    for _ in range(_FARTHEST):
        node = makers.get(name)
        if node is None or node.domain:
            return ANYTHING
        if node.operator in _WITHIN:
            return _WITHIN[node.operator]
        if node.operator == "Clip":
            low, high = (_number(node, position, arrays) for position in (1, 2))
            return -math.inf if low is None else low, math.inf if high is None else high
        if node.operator not in _PASSING:
            return ANYTHING
        name = node.inputs[0]
    return ANYTHING


def _number(node: Node, position: int, arrays: Mapping[str, np.ndarray]) -> float | None:
    array = arrays.get(node.inputs[position]) if position < len(node.inputs) else None
    return None if array is None or array.size != 1 else float(array.reshape(()))
