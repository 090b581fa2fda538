"""Nodes and constants that are written one after the other, under names that are new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.names import free_name


class Draft:
    """What is to stand in the place of nodes, or beside them."""

    def __init__(self, taken: set[str]) -> None:
        """`taken` are the names that there are; those that are given away join them."""
        self.taken = taken
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}

    def fresh(self, name: str) -> str:
        """The name, changed as far as it must be to be new."""
        return free_name(name, self.taken)

    def constant(self, name: str, array: np.ndarray) -> str:
        """Adds an array; gives its name, which is new."""
        name = self.fresh(name)
        self.constants[name] = array
        return name

    def add(
        self,
        operator: str,
        inputs: Iterable[str],
        name: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Adds a node with one output, whose name is new and the node's; gives it."""
        name = self.fresh(name)
        return self.put(Node(operator, tuple(inputs), (name,), attributes or {}, name))

    def put(self, node: Node) -> str:
        """Adds a node; gives its first output."""
        self.nodes.append(node)
        return node.outputs[0]
