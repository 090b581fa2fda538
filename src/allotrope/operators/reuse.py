"""Which nodes may compute in the array that they are given, because nobody else ever sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from allotrope.network.graph import Node

FRESH = frozenset({"Add", "BatchNormalization", "Conv", "Gemm"})
"""Operators whose first output is always an array of its own, which their gradients do not need."""
OVERWRITING = frozenset({"Clip", "Relu"})
"""Operators that primitives can compute in their first input."""


def fresh(nodes: Iterable[Node]) -> frozenset[str]:
    """The values that are arrays of their own, no views, which no gradient of their maker needs."""
    return frozenset(
        node.outputs[0] for node in nodes if node.operator in FRESH and not node.domain
    )


def overwrites(
    node: Node, fresh: frozenset[str], consumers: Mapping[str, int], dead: Iterable[str]
) -> bool:
    """Whether the node may overwrite its first input: a fresh one that nobody else needs."""
    if node.operator not in OVERWRITING or node.domain:
        return False
    first = node.inputs[0]
    return first in fresh and consumers[first] == 1 and first in dead
