"""The one way to change a graph: nodes in the place of others, new names, new arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from allotrope.network.graph import Graph, Node, Value
from allotrope.network.names import free_name, names_in
from allotrope.network.rewriting.lookup import NONE, Lookup, Place
from allotrope.network.used import used, without_unused

if TYPE_CHECKING:
    from allotrope.network.network import Network


class Rewriter(Lookup):
    """A graph under change; each step costs as much as the nodes that it concerns.

    What is known of a value is kept for as long as a node makes a value of its name: whoever puts
    another value in its place says so by `forget`.
    """

    def __init__(self, graph: Graph, weights: Mapping[str, np.ndarray] = NONE) -> None:
        """`weights` are the arrays that are not among the graph's constants."""
        super().__init__(graph, weights)
        self.weights: dict[str, np.ndarray] = {}
        """Weights that are new, or other than they were."""
        self.trainable: set[str] = set()
        """The new ones that learn."""
        self._constants = dict(graph.constants)
        self._taken = names_in(graph) | weights.keys()

    def fresh(self, name: str) -> str:
        """The name, changed as far as it must be to be new."""
        return free_name(name, self._taken)

    def constant(self, name: str, array: np.ndarray) -> str:
        """Adds an array that does not learn; gives its name, which is new."""
        name = self.fresh(name)
        self._constants[name] = self.arrays[name] = array
        return name

    def weight(self, name: str, array: np.ndarray, *, trainable: bool = True) -> str:
        """Adds a weight; gives its name, which is new."""
        name = self.fresh(name)
        self.weights[name] = self.arrays[name] = array
        self.trainable |= {name} if trainable else set()
        return name

    def put(self, name: str, array: np.ndarray) -> None:
        """Another array in the place of a constant or a weight, under its name."""
        arrays = self._constants if name in self._constants else self.weights
        arrays[name] = self.arrays[name] = array

    def closed(self, values: Iterable[str], output: str) -> bool:
        """Whether nothing that the makers of these values make is seen outside but `output`."""
        places = self._places(values)
        made = {name for place in places for name in self._nodes[place].outputs if name}
        made.discard(output)
        return not made & self.outputs and all(
            places.issuperset(self._users[name]) for name in made
        )

    def replace(self, values: Iterable[str], nodes: Iterable[Node]) -> None:
        """Puts `nodes` where the last maker of these values is; takes all of their makers away."""
        places = self._places(values)
        for place in places:
            node = self._nodes.pop(place)
            for name in used(node):
                self._users[name].remove(place)
            for name in node.outputs:
                self._makers.pop(name, None)
        for number, node in enumerate(nodes):
            self._taken.update(node.outputs)
            self._put((*max(places), number), node)

    def append(
        self,
        operator: str,
        inputs: Iterable[str],
        name: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Adds a node with one new output behind all others; gives the output's name."""
        name = self.fresh(name)
        place = (max(self._nodes, default=(0,))[0] + 1,)
        # A node may be called as another one's value is, which no runtime takes.
        called = free_name(name, {node.name for node in self._nodes.values()})
        self._put(place, Node(operator, tuple(inputs), (name,), attributes or {}, called))
        return name

    def give(self, *outputs: Value) -> None:
        """Other outputs in the place of those that there are; what is known of them stays known."""
        self.graph = replace(self.graph, outputs=outputs)
        self.outputs = frozenset(value.name for value in outputs)
        self._known = {value.name: value for value in outputs} | self._known

    def forget(self, name: str) -> None:
        """A value is another than it was: its shape, and what follows from it, is open again."""
        behind = [name]
        seen = {name}
        for value in behind:
            self._known.pop(value, None)
            for user in self.users(value):
                new = [output for output in user.outputs if output and output not in seen]
                behind += new
                seen.update(new)

    def result(self) -> Graph:
        """The graph as it is now."""
        inner = self._makers.keys() - self.outputs
        ends = (self._known.get(v.name, replace(v, shape=None)) for v in self.graph.outputs)
        return replace(
            self.graph,
            nodes=tuple(self.nodes()),
            outputs=tuple(ends),
            constants=self._constants,
            values={name: value for name, value in self._known.items() if name in inner},
        )

    def applied_to(self, network: Network) -> Network:
        """The network with the graph as it is now, and the weights that are new.

        Nodes and arrays that no output is made of are left out.
        """
        trainable = network.trainable | self.trainable
        graph = without_unused(self.result())
        return network.changed(graph=graph, weights=self.weights, trainable=trainable)

    def _places(self, values: Iterable[str]) -> set[Place]:
        return {self._makers[name] for name in values if name}
