"""What lies around a value: a few nodes of given operators up and down from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set

from allotrope.network.rewriting.lookup import Lookup

FARTHEST = 24
"""Values around one that are looked at, and users of one: no operator is taken apart into more."""

MOST_INPUTS = 4
"""A node with more is looked into no further."""


def below(graph: Lookup, name: str, operators: Set[str]) -> list[str]:
    """The value and those that it is computed from by these operators, the nearest first."""
    return _reached(name, lambda value: _inputs(graph, value, operators))


def above(graph: Lookup, name: str, operators: Set[str]) -> list[str]:
    """What is computed from the value by these operators, the nearest first."""
    return _reached(name, lambda value: _results(graph, value, operators))[1:]


def _inputs(graph: Lookup, name: str, operators: Set[str]) -> Iterator[str]:
    node = graph.maker(name, *operators)
    if node is not None and len(node.inputs) <= MOST_INPUTS:
        yield from (name for name in node.inputs if name and name not in graph.arrays)


def _results(graph: Lookup, name: str, operators: Set[str]) -> Iterator[str]:
    if graph.count(name) > FARTHEST:
        return
    for node in graph.users(name):
        if node.operator in operators and not node.domain:
            yield node.outputs[0]


def _reached(name: str, neighbours: Callable[[str], Iterable[str]]) -> list[str]:
    reached = [name]
    for value in reached:
        reached += [other for other in dict.fromkeys(neighbours(value)) if other not in reached]
        if len(reached) > FARTHEST:
            break
    return reached
