"""Whether the names of a graph and its weights hold together."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np

from allotrope.errors import ModelError, UsageError
from allotrope.network.graph import Graph

_SHOWN = 20
"""Problems that one message lists."""


def check_names(graph: Graph, weights: Mapping[str, np.ndarray], trainable: Set[str]) -> None:
    """Raises: ModelError if names clash, or nothing makes a value that is used."""
    problems = [
        f"'{name}' is named as trainable and is no weight"
        for name in sorted(trainable - weights.keys())
    ]
    there: set[str] = set()
    kinds = {
        "input": [v.name for v in graph.inputs],
        "weight": weights,
        "constant": graph.constants,
    }
    for kind, names in kinds.items():
        twice = (name for name in names if name in there)
        problems += [f"{kind} '{name}' has the name of something else" for name in twice]
        there |= set(names)
    for node in graph.nodes:
        unmade = (name for name in node.inputs if name and name not in there)
        problems += [f"node '{node.label}' uses '{name}', which nothing makes" for name in unmade]
        again = (name for name in node.outputs if name in there)
        problems += [f"node '{node.label}' makes '{name}' again" for name in again]
        there |= set(node.outputs) - {""}
    outputs = (value.name for value in graph.outputs)
    problems += [f"nothing makes the output '{name}'" for name in outputs if name not in there]
    if problems:
        listed = "; ".join(problems[:_SHOWN])
        raise ModelError(f"network '{graph.name}' does not hold together: {listed}.")


def check_replacements(weights: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray]) -> None:
    """Raises: UsageError if new arrays are not of weights that there are, or of other shapes."""
    problems = [f"'{name}' is no weight of it" for name in new if name not in weights]
    for name in new.keys() & weights.keys():
        shape, own = np.shape(new[name]), weights[name].shape
        if shape != own:
            problems.append(f"'{name}' has shape {list(shape)}, not {list(own)}")
    if problems:
        listed = "; ".join(sorted(problems)[:_SHOWN])
        raise UsageError(f"these weights do not fit the network: {listed}.")
