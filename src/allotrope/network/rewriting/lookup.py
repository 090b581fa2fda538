"""A graph that answers: what makes and who takes each value, and what is known of it."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from allotrope.network.graph import Dimension, Graph, Node, Value
from allotrope.network.used import used

NONE: Mapping[str, np.ndarray] = MappingProxyType({})
"""No weights."""

Place = tuple[int, ...]
"""Where a node stands: places are in the order of the nodes, and one lies within another's."""


class Lookup:
    """A graph by its values; what lies in the graphs inside it is only seen to take values."""

    def __init__(self, graph: Graph, weights: Mapping[str, np.ndarray] = NONE) -> None:
        """`weights` are the arrays that are not among the graph's constants."""
        self.graph = graph
        self.arrays: dict[str, np.ndarray] = {**graph.constants, **weights}
        self.outputs = frozenset(value.name for value in graph.outputs)
        self._known = dict(graph.values)
        self._known |= {value.name: value for value in (*graph.inputs, *graph.outputs)}
        self._nodes: dict[Place, Node] = {}
        self._makers: dict[str, Place] = {}
        self._users: dict[str, list[Place]] = defaultdict(list)
        for number, node in enumerate(graph.nodes):
            self._put((number,), node)

    def nodes(self) -> Iterator[Node]:
        """The nodes in their order; those that go meanwhile are passed over."""
        for place in sorted(self._nodes):
            node = self._nodes.get(place)
            if node is not None:
                yield node

    def maker(self, name: str, *operators: str) -> Node | None:
        """The node that makes a value; None for inputs and arrays.

        With `operators` only if it is one of these, of ONNX's own.
        """
        place = self._makers.get(name)
        if place is None:
            return None
        node = self._nodes[place]
        asked = not operators or (node.operator in operators and not node.domain)
        return node if asked else None

    def users(self, name: str) -> Iterator[Node]:
        """The nodes that take a value, themselves or by the graphs inside them, in their order."""
        yield from (self._nodes[place] for place in self._users.get(name, ()))

    def count(self, name: str) -> int:
        """How many nodes take a value."""
        return len(self._users.get(name, ()))

    def only_user(self, name: str) -> Node | None:
        """The one node that takes a value which is no output."""
        if self.count(name) != 1 or name in self.outputs:
            return None
        (place,) = self._users[name]
        return self._nodes[place]

    def known(self, name: str) -> Value | None:
        """What is known of an input, an array or a result."""
        array = self.arrays.get(name)
        if array is not None:
            return Value(name, array.dtype, array.shape)
        return self._known.get(name)

    def shape(self, name: str) -> tuple[Dimension, ...] | None:
        """The shape of a value as far as it is known."""
        value = self.known(name)
        return None if value is None else value.shape

    def rank(self, name: str) -> int:
        """How many axes a value has; -1 if that is not known."""
        shape = self.shape(name)
        return -1 if shape is None else len(shape)

    def number(self, name: str) -> float | None:
        """The value of a float array with one element."""
        array = self.arrays.get(name)
        if array is None or array.size != 1 or array.dtype.kind != "f":
            return None
        return float(array.reshape(()))

    def _put(self, place: Place, node: Node) -> None:
        self._nodes[place] = node
        for name in used(node):
            insort(self._users[name], place)
        self._makers.update(dict.fromkeys(filter(None, node.outputs), place))
