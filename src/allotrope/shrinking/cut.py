"""A network while places are taken out of it: which stay, and nodes that hold sizes follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.junction import Axes
from allotrope.shrinking.relations import Relations

Follow = Callable[["Cut", int, Node], Node]
"""Gives a node, by its index, with the sizes that it has after the cut."""

FOLLOWS: dict[str, Follow] = {}

Mask = np.ndarray
"""Which places of an axis stay, bool [length]."""


def follows(*operators: str) -> Callable[[Follow], Follow]:
    """Enters what becomes of operators whose attributes or constants hold sizes."""

    def enter(function: Follow) -> Follow:
        FOLLOWS.update(dict.fromkeys(operators, function))
        return function

    return enter


class Cut:
    """What stays of each axis, and the graph under change."""

    def __init__(self, relations: Relations, removed: np.ndarray, rewriter: Rewriter) -> None:
        """`removed` are the roots of the atoms that go."""
        self.relations, self.removed, self.rewriter = relations, removed, rewriter
        self._stays = ~np.isin(relations.roots, removed)
        """Of every atom, whether it stays."""
        self._in_front: list[Node] = []

    def mask(self, axis: Axis) -> Mask:
        """Which places of an axis stay."""
        return np.asarray(self._stays[axis.atoms])

    def masks(self, index: int, position: int = 0) -> list[Mask | None]:
        """Which places stay of each axis of a node's input; None if all do."""
        return self.of_axes(self.relations.inputs[index][position])

    def made(self, index: int, position: int = 0) -> list[Mask | None]:
        """The same for an output."""
        node = self.relations.network.graph.nodes[index]
        return self.of_axes(self.relations.values[node.outputs[position]])

    def of_axes(self, axes: Axes) -> list[Mask | None]:
        """Which places stay of each axis; None if all do."""
        masks = [None if axis is None else self.mask(axis) for axis in axes]
        return [None if mask is None or mask.all() else mask for mask in masks]

    def length(self, index: int, position: int, axis: int) -> int:
        """How many places an input's axis has afterwards."""
        known = self.relations.inputs[index][position][axis]
        assert known is not None
        return int(self.mask(known).sum())

    def touches(self, index: int) -> bool:
        """Whether the node takes or makes something that is cut, or may look at how long it is."""
        node = self.relations.network.graph.nodes[index]
        if node.operator == "Reshape" and node.inputs[1] not in self.relations.lookup.arrays:
            return True
        return any(not self.mask(axis).all() for axis in self.relations.of_node(index))

    def with_attributes(self, node: Node, **attributes: Any) -> Node:
        """The node with other attributes."""
        return replace(node, attributes={**node.attributes, **attributes})

    def with_constant(self, node: Node, position: int, array: np.ndarray) -> Node:
        """The node with another array in the place of an input that steers."""
        old = node.input(position)
        name = self.rewriter.constant(old or f"{node.outputs[0]}/lengths", array)
        missing = ("",) * (position + 1 - len(node.inputs))
        return replace(node, inputs=(*node.inputs, *missing)).with_input(position, name)

    def with_computed(
        self, node: Node, position: int, count: int, entries: Mapping[int, int]
    ) -> Node:
        """The node with some of the `count` entries of a computed input that steers replaced.

        What makes them stands in front of the node: `in_front`. It is joined of parts, through
        which inference of shapes sees what is known of each entry.
        """
        parts, start = [], 0
        for place in sorted(entry % count for entry in entries):
            if place > start:
                parts.append(self._stretch(node.inputs[position], start, place))
            number = np.array([entries.get(place, entries.get(place - count))], np.int64)
            parts.append(self.rewriter.constant(f"{node.outputs[0]}/length", number))
            start = place + 1
        if start < count:
            parts.append(self._stretch(node.inputs[position], start, count))
        name = self._made_in_front("Concat", parts, f"{node.outputs[0]}/lengths", {"axis": 0})
        return node.with_input(position, name)

    def _stretch(self, name: str, start: int, end: int) -> str:
        bounds = [np.array([bound], np.int64) for bound in (start, end)]
        inputs = [self.rewriter.constant(f"{name}/bound", bound) for bound in bounds]
        return self._made_in_front("Slice", [name, *inputs], f"{name}/part", {})

    def _made_in_front(
        self, operator: str, inputs: Sequence[str], name: str, attributes: Mapping[str, Any]
    ) -> str:
        name = self.rewriter.fresh(name)
        self._in_front.append(Node(operator, tuple(inputs), (name,), attributes, name))
        return name

    def in_front(self) -> list[Node]:
        """The nodes that the one that was changed last needs in front of it."""
        nodes, self._in_front = self._in_front, []
        return nodes
