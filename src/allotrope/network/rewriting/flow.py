"""Where an array goes: which nodes take it, as it is or in another form, in loops and branches too.

Names of one graph inside another may be those of its neighbour, so a value is known here by the
graph that makes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from allotrope.network.graph import Graph, Node

Key = tuple[int, str]
"""A value: the number of the graph that makes it, 0 for the outermost, and its name there."""

PASSING = frozenset(
    {
        "Cast",
        "Expand",
        "Flatten",
        "Identity",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators behind which the first input is still the same array, in another form."""


OF_WEIGHTS = frozenset({"Abs", "Clip", "Exp", "Max", "Min", "Neg", "Sigmoid", "Softplus", "Tanh"})
"""Functions that keep a learned array within a range, such as the scale of attention in Swin V2."""


@dataclass(frozen=True)
class Taker:
    """A node that takes a value at a position of its inputs."""

    node: Node
    position: int


@dataclass
class Flow:
    """What takes each value, and which values are the same array in another form."""

    takers: dict[Key, list[Taker]] = field(default_factory=lambda: defaultdict(list))
    forms: dict[Key, list[Key]] = field(default_factory=lambda: defaultdict(list))
    products: set[str] = field(default_factory=set)
    """Products of matrices: one number that is added to a single column is a bias."""
    states: dict[Key, list[Key]] = field(default_factory=lambda: defaultdict(list))
    """What a loop that begins with a value sees in its place, perhaps only at first."""

    def uses(self, name: str, behind: bool = True, into_loops: bool = True) -> Iterator[Taker]:
        """The uses of a value of the outermost graph.

        With `behind` those of its other forms too, with `into_loops` of what loops begin with.
        """
        pending: list[Key] = [(0, name)]
        seen = set(pending)
        while pending:
            key = pending.pop()
            yield from self.takers.get(key, ())
            onward = [*self.forms.get(key, ())] if behind else []
            if behind and into_loops:
                onward += self.states.get(key, ())
            pending += [form for form in onward if form not in seen]
            seen.update(onward)


def uses_in(graph: Graph) -> Flow:
    """Where the values of a graph and of those inside it go."""
    flow = Flow()
    _follow(graph, {}, count(), flow)
    return flow


def _follow(
    graph: Graph, outer: Mapping[str, Key], numbers: Iterator[int], flow: Flow
) -> Mapping[str, Key]:
    """Enters the graph into the flow; gives what the names in it stand for."""
    number = next(numbers)
    made = [value.name for value in graph.inputs] + list(graph.constants)
    made += [name for node in graph.nodes for name in node.outputs if name]
    names = {**outer, **{name: (number, name) for name in made}}
    for node in graph.nodes:
        takes = [names.get(name, (number, name)) for name in node.inputs]
        gives = [names.get(name, (number, name)) for name in node.outputs]
        for position, key in enumerate(takes):
            if key[1]:
                flow.takers[key].append(Taker(node, position))
        if node.operator == "MatMul":
            flow.products.update(node.outputs)
        if node.operator in PASSING | OF_WEIGHTS and takes:
            flow.forms[takes[0]] += gives
        for inner in node.subgraphs:
            _enter(node, inner, takes, gives, _follow(inner, names, numbers, flow), flow)
    return names


def _enter(
    node: Node,
    inner: Graph,
    takes: list[Key],
    gives: list[Key],
    names: Mapping[str, Key],
    flow: Flow,
) -> None:
    """What goes into a graph inside are its inputs, what it gives the node's outputs.

    A Loop's graph gives its condition first.
    """
    if node.operator in ("Loop", "Scan"):
        for key, value in zip(takes, inner.inputs, strict=False):
            flow.states[key].append(names[value.name])
    ends = inner.outputs[1:] if node.operator == "Loop" else inner.outputs
    for value, key in zip(ends, gives, strict=False):
        if value.name in names:
            flow.forms[names[value.name]].append(key)
