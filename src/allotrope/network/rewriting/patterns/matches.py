"""The table of patterns, and what one gives: a match."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from allotrope.network.graph import Node
from allotrope.network.rewriting.rewriter import Rewriter


@dataclass(frozen=True)
class Match:
    """The nodes that make `values`, the last of which is `output`, and others that make it too."""

    values: frozenset[str]
    output: str
    nodes: tuple[Node, ...]


Pattern = Callable[[Rewriter, Node], Iterator[Match]]
"""What may be put in the place of the node and some around it, the best first."""

PATTERNS: dict[str, dict[str, Pattern]] = {}
"""By the operator that is recognized, then by the one that gives it away."""


def pattern(trigger: str, gives: str) -> Callable[[Pattern], Pattern]:
    """Register what recognizes an operator, under the operator that gives it away."""

    def register(function: Pattern) -> Pattern:
        PATTERNS.setdefault(gives, {})[trigger] = function
        return function

    return register
