"""QuantizeLinear and the DequantizeLinear behind it as one step, for frameworks to differentiate.

Integers lie between the two, which have no gradient: a weight in front of them would never learn.
What is computed stays the same. Files hold the two nodes, never the one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.one_step import with_one_step
from allotrope.network.used import without_unused

DOMAIN, OPERATOR = "allotrope", "QuantizeDequantize"
"""What the one step is called; its meaning is in `operators/rounding.py`."""

SAME = ("axis", "block_size")
"""Attributes that both nodes of a pair have, with their defaults in ONNX."""
DEFAULTS = {"axis": 1, "block_size": 0}
PLAIN = {"output_dtype": 0, "precision": 0, "saturate": 1}
"""What else they may say only by its default, for the two to be the one step."""


def with_rounding_pairs(graph: Graph, weights: Mapping[str, np.ndarray]) -> Graph:
    """The graph with every such pair as one node; the same graph if there is none."""
    joined = with_one_step(graph, weights, "DequantizeLinear", _one_step)
    if joined is graph:
        return graph
    return without_unused(joined)


def _one_step(lookup: Lookup, behind: Node) -> Node | None:
    before = lookup.maker(behind.inputs[0], "QuantizeLinear")
    if before is None or not _is_pair(lookup, before, behind):
        return None
    dtype = _dtype(lookup, before)
    if dtype is None or dtype.kind not in "iu":
        return None
    limits = np.iinfo(dtype)
    attributes = {name: _attribute(behind, name) for name in SAME}
    attributes |= {"low": int(limits.min), "high": int(limits.max)}
    return Node(OPERATOR, before.inputs, behind.outputs, attributes, behind.name, DOMAIN)


def _is_pair(lookup: Lookup, before: Node, behind: Node) -> bool:
    """Whether what the one does is undone by the other, but for the rounding."""
    scales = _same(lookup, before.inputs[1], behind.inputs[1])
    zeros = _same(lookup, before.input(2), behind.input(2))
    attributes = all(_attribute(before, name) == _attribute(behind, name) for name in SAME)
    plain = all(
        node.attributes.get(name, default) == default
        for node in (before, behind)
        for name, default in PLAIN.items()
    )
    return scales and zeros and attributes and plain


def _same(lookup: Lookup, one: str, other: str) -> bool:
    """Whether two names are one value, or two constants of the same numbers."""
    if one == other:
        return True
    arrays = [lookup.graph.constants.get(name) for name in (one, other)]
    if arrays[0] is None or arrays[1] is None:
        return False
    return arrays[0].dtype == arrays[1].dtype and np.array_equal(arrays[0], arrays[1])


def _attribute(node: Node, name: str) -> int:
    return int(node.attributes.get(name, DEFAULTS[name]))


def _dtype(lookup: Lookup, before: Node) -> np.dtype | None:
    """The type that is rounded to; None if the zero point that says it is computed."""
    zero = before.input(2)
    if not zero:
        return np.dtype(np.uint8)
    array = lookup.arrays.get(zero)
    return None if array is None else array.dtype
