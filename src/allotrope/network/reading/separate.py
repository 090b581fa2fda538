"""Arrays that an exporter wrote once because they were equal, given back to each layer.

Before a training the scales of all normalizations are 1 and all biases 0, and exporters write
equal arrays once: trained further, layers would be tied. Three kinds of shared arrays are doubted:
those of one number throughout, those of normalizations, and vectors that are something else to
each of their users. Any of them stays shared if the layers that use it are one layer: if they
share an array that is not doubted too, such as a kernel, or, having no such array of their own, if
the layers next to them do.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Set
from functools import cache
from itertools import product

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.names import listed
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.weights import by_use

NORMALIZATIONS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "RMSNormalization": (1,),
}
"""Inputs by position that scale and shift what was normalized."""

Input = tuple[int, int]
"""A node by its number, and a position of its inputs."""

_FARTHEST = 64
"""How many nodes are looked at on the way to the layers next to one."""


def with_own_arrays(graph: Graph, report: Callable[[str], None]) -> Graph:
    """The graph in which layers that only began with equal numbers have arrays of their own."""
    inner = _inner(graph)
    learns = by_use(graph, graph.constants).trainable
    uses = {name: places for name, places in _uses(graph, learns - inner).items() if places[1:]}
    doubtful = sorted(name for name, places in uses.items() if _is_doubtful(name, places, graph))
    if not doubtful:
        return graph
    layers = _Layers(graph, frozenset(doubtful))
    rewriter, nodes, separated = Rewriter(graph), list(graph.nodes), list[str]()
    for name in doubtful:
        others = layers.groups(uses[name])[1:]
        for group in others:
            first, _ = group[0]
            own = rewriter.constant(f"{nodes[first].label}.{name}", graph.constants[name])
            for number, position in group:
                nodes[number] = nodes[number].with_input(position, own)
                rewriter.replace(nodes[number].outputs, [nodes[number]])
        if others:
            separated.append(name)
    if not separated:
        return graph
    report(
        f"repair: {listed(separated)} written once for several layers that share nothing else: "
        "each has its own now; --no-repair shared-arrays leaves them one"
    )
    return rewriter.result()


def _is_doubtful(name: str, places: list[Input], graph: Graph) -> bool:
    """Whether an array that several nodes take may have been equal by chance."""
    array = graph.constants[name]
    kinds = {(graph.nodes[number].operator, position) for number, position in places}
    normalizes = any(position in NORMALIZATIONS.get(kind, ()) for kind, position in kinds)
    return _is_filled(array) or normalizes or (len(kinds) > 1 and _is_vector(array))


def _is_vector(array: np.ndarray) -> bool:
    return array.size > 1 and sum(length > 1 for length in array.shape) == 1


def _is_filled(array: np.ndarray) -> bool:
    return array.size > 1 and bool((array == array.reshape(-1)[0]).all())


def _inner(graph: Graph) -> set[str]:
    """What the graphs inside take, which may see it many times."""
    names: set[str] = set()
    for node in graph.nodes:
        for subgraph in node.subgraphs:
            names |= {value.name for value in subgraph.outputs} | _inner(subgraph)
            names.update(*(one.inputs for one in subgraph.nodes))
    return names


def _uses(graph: Graph, names: Set[str]) -> dict[str, list[Input]]:
    uses: dict[str, list[Input]] = {name: [] for name in sorted(names)}
    for number, node in enumerate(graph.nodes):
        for position, name in enumerate(node.inputs):
            if name in names:
                uses[name].append((number, position))
    return uses


class _Layers:
    """Which nodes are the same layer, used more than once."""

    def __init__(self, graph: Graph, doubtful: frozenset[str]) -> None:
        self.nodes = graph.nodes
        self.doubtful = doubtful
        self.arrays = graph.constants
        self.lookup = Lookup(graph)
        self.numbers = {node.outputs: number for number, node in enumerate(graph.nodes)}
        counts = Counter(one for number in range(len(self.nodes)) for one in self._sure(number))
        self.shared = {one for one, count in counts.items() if count > 1}
        """Arrays not doubted that nodes of one kind share: a layer that is used twice."""

    def groups(self, places: list[Input]) -> list[list[Input]]:
        """The inputs, those of one layer together."""
        groups: list[list[Input]] = []
        for place in places:
            alike = (
                (one for one in groups if self._same(one[0], place)) if self.shared else iter(())
            )
            group = next(alike, None)
            if group is None:
                groups.append([place])
            else:
                group.append(place)
        return groups or [[]]

    def _same(self, one: Input, other: Input) -> bool:
        """Whether two inputs are the same one of a layer that is used twice."""
        (a, position), (b, other_position) = one, other
        kinds = {self.nodes[a].operator, self.nodes[b].operator}
        if a == b or position != other_position or len(kinds) > 1:
            return False
        own, other_own = self._sure(a), self._sure(b)
        if own or other_own:
            return bool(own & other_own)
        return self._alike(a, b, self._before) or self._alike(a, b, self._after)

    def _alike(self, a: int, b: int, step: Callable[[Node], Iterator[int]]) -> bool:
        """Whether two other nodes, one next to each, share an array that is not doubted."""
        pairs = product(self._next(a, step), self._next(b, step))
        return any(
            first != second and self._sure(first) & self._sure(second) & self.shared
            for first, second in pairs
        )

    @cache  # noqa: B019 - the object lives as long as one call of `with_own_arrays`
    def _sure(self, number: int) -> frozenset[tuple[str, int, str]]:
        """The arrays not doubted that a node takes, with its operator and their places."""
        node = self.nodes[number]
        arrays = ((i, name, self.arrays.get(name)) for i, name in enumerate(node.inputs))
        return frozenset(
            (node.operator, i, name)
            for i, name, array in arrays
            if array is not None and self._is_sure(name, array)
        )

    @cache  # noqa: B019 - as above
    def _next(self, number: int, step: Callable[[Node], Iterator[int]]) -> list[int]:
        """The nearest nodes in one direction that have arrays that are not doubted."""
        pending, seen, nearest = deque([number]), {number}, list[int]()
        while pending and len(seen) < _FARTHEST:
            for near in step(self.nodes[pending.popleft()]):
                if near not in seen:
                    seen.add(near)
                    (nearest if self._sure(near) else pending).append(near)
        return nearest

    def _is_sure(self, name: str, array: np.ndarray) -> bool:
        """Whether layers that share the array are surely one."""
        if name in self.doubtful or array.dtype.kind != "f" or array.size < 2:
            return False
        return not _is_filled(array)

    def _before(self, node: Node) -> Iterator[int]:
        makers = map(self.lookup.maker, node.inputs)
        yield from (self.numbers[maker.outputs] for maker in makers if maker is not None)

    def _after(self, node: Node) -> Iterator[int]:
        for name in node.outputs:
            yield from (self.numbers[user.outputs] for user in self.lookup.users(name))
