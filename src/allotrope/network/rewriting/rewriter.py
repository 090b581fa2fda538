"""A graph under change: who makes and who uses each value, and the place of several nodes taken by others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from allotrope.network.graph import Dimension, Graph, Node
from allotrope.network.names import free_name, names_in
from allotrope.network.used import used

Place = tuple[int, int]
"""Where a node stands: its number in the graph as it was, and among those that took its place."""

_FARTHEST = 24
"""How many values around one are looked at, and how many users of one: no operator is taken apart into more."""


MOST_INPUTS = 4
"""A node with more is looked into no further."""


class Rewriting:
    """A graph whose nodes are looked at and replaced; each step costs as much as the nodes that it concerns."""

    def __init__(self, graph: Graph) -> None:
        """All arrays of the graph are among its constants."""
        self.graph = graph
        self._taken = names_in(graph)
        self._known = {value.name: value for value in (*graph.values.values(), *graph.inputs, *graph.outputs)}
        self._nodes: dict[Place, Node] = {}
        self._makers: dict[str, Place] = {}
        self._users: dict[str, set[Place]] = defaultdict(set)
        self._kept = {value.name for value in graph.outputs}
        for number, node in enumerate(graph.nodes):
            self._put((number, 0), node)

    def places(self) -> list[Place]:
        """Where there are nodes now, in their order."""
        return sorted(self._nodes)

    def node(self, place: Place) -> Node | None:
        """The node at a place; None where another has taken it."""
        return self._nodes.get(place)

    def maker(self, name: str) -> Place | None:
        """Where a value is made; None for inputs and arrays."""
        return self._makers.get(name)

    def users(self, name: str) -> list[Node]:
        """The nodes that take a value, in their order; none where these are too many to belong to one operator."""
        places = self._users.get(name, set())
        return [self._nodes[place] for place in sorted(places)] if len(places) <= _FARTHEST else []

    def array(self, name: str) -> np.ndarray | None:
        """An array of the file."""
        return self.graph.constants.get(name)

    def number(self, name: str) -> float | None:
        """The value of a float array with one element."""
        array = self.array(name)
        return float(array.reshape(())) if array is not None and array.size == 1 and array.dtype.kind == "f" else None

    def shape(self, name: str) -> tuple[Dimension, ...] | None:
        """The shape of a value as far as it is known."""
        array, value = self.array(name), self._known.get(name)
        return array.shape if array is not None else None if value is None else value.shape

    def rank(self, name: str) -> int:
        """How many axes a value has; -1 where that is not known."""
        shape = self.shape(name)
        return -1 if shape is None else len(shape)

    def fresh(self, name: str) -> str:
        """The name, changed as far as it must be to be new."""
        return free_name(name, self._taken)

    def below(self, name: str, operators: frozenset[str]) -> list[str]:
        """The value and those that it is computed from by these operators, the nearest first."""
        return self._reached(name, lambda at: self._inputs(at, operators))

    def above(self, name: str, operators: frozenset[str]) -> list[str]:
        """What is computed from the value by these operators, the nearest first."""
        return self._reached(name, lambda at: (n.outputs[0] for n in self.users(at) if n.operator in operators and not n.domain))[1:]

    def closed(self, places: Iterable[Place], output: str) -> bool:
        """Whether nothing that these nodes make is used outside of them but `output`."""
        inside = set(places)
        made = {name for place in inside for name in self._nodes[place].outputs if name} - {output}
        return not made & self._kept and all(self._users.get(name, set()) <= inside for name in made)

    def replace(self, places: Iterable[Place], nodes: Iterable[Node]) -> None:
        """Puts `nodes` where the last of `places` was, and takes all of these away."""
        places = sorted(set(places))
        for place in places:
            node = self._nodes.pop(place)
            for name in used(node):
                self._users[name].discard(place)
            for name in node.outputs:
                self._makers.pop(name, None)
        for number, node in enumerate(nodes, places[-1][1]):
            self._put((places[-1][0], number), node)

    def result(self) -> Graph:
        """The graph as it is now. What was known of values that are gone is forgotten."""
        made = {name for node in self._nodes.values() for name in node.outputs}
        values = {name: value for name, value in self.graph.values.items() if name in made}
        return replace(self.graph, nodes=tuple(self._nodes[place] for place in self.places()), values=values)

    def _put(self, place: Place, node: Node) -> None:
        self._nodes[place] = node
        for name in used(node):
            self._users[name].add(place)
        self._makers.update(dict.fromkeys(filter(None, node.outputs), place))

    def _inputs(self, name: str, operators: frozenset[str]) -> Iterator[str]:
        place = self._makers.get(name)
        node = None if place is None else self._nodes[place]
        if node is not None and node.operator in operators and not node.domain and len(node.inputs) <= MOST_INPUTS:
            yield from (name for name in node.inputs if name and self.array(name) is None)

    def _reached(self, name: str, neighbours: Callable[[str], Iterable[str]]) -> list[str]:
        reached = [name]
        for at in reached:
            reached += [other for other in dict.fromkeys(neighbours(at)) if other not in reached]
            if len(reached) > _FARTHEST:
                break
        return reached
