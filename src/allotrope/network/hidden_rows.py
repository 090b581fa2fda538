"""Rows of an attention in which masks hide every element: rounding is left there, or NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.network import Network

HIDDEN = -1e3
"""Scores below this are hidden by a mask: -10000, -1e9, the lowest float, -inf."""


def hidden_rows(network: Network, values: Mapping[str, np.ndarray]) -> dict[str, int]:
    """By the name of each softmax or attention that has such rows: how many.

    `values` are by name.
    """
    counts = {}
    for node in network.graph.nodes:
        count = 0
        if node.operator in ("Softmax", "LogSoftmax") and node.inputs[0] in values:
            scores = values[node.inputs[0]]
            count = _hidden(scores, node.attributes.get("axis", -1))
        elif node.operator == "Attention":
            count = _hidden_in_attention(node, {**network.graph.constants, **values})
        if count:
            counts[node.label] = count
    return counts


def _hidden(scores: np.ndarray, axis: int) -> int:
    """Rows along an axis without any score that may be seen."""
    if scores.ndim == 0 or not scores.shape[axis]:
        return 0
    return int((~(scores > HIDDEN)).all(axis).sum())


def _hidden_in_attention(node: Node, values: Mapping[str, np.ndarray]) -> int:
    name = ""
    if len(node.inputs) > 3:
        name = node.inputs[3]
    if name not in values:
        return 0
    mask = values[name]
    if mask.dtype == np.bool_:
        seen = mask
    else:
        seen = mask > HIDDEN
    if node.attributes.get("is_causal", 0):
        queries, keys = _lengths(node, values, seen.shape[-1])
        seen = seen & np.tri(queries, keys, keys - queries, dtype=bool)
    return int((~seen).all(-1).sum())


def _lengths(node: Node, values: Mapping[str, np.ndarray], keys: int) -> Sequence[int]:
    """How many queries and keys there are."""
    query = values.get(node.inputs[0])
    return (keys if query is None else query.shape[-2], keys)
