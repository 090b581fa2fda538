"""Whether the names in a graph hold together, and an order that makes before it uses."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Iterator
from dataclasses import replace

from allotrope.errors import ModelError
from allotrope.network.graph import Graph
from allotrope.network.used import used


def ordered(graph: Graph) -> Graph:
    """The graph with its nodes sorted where they were not.

    Raises: ModelError listing names that are made twice or never, or the nodes of a cycle.
    """
    # All that is wrong at once, so that nobody has to mend it name by name.
    problems = [*_duplicates(graph, ()), *_missing(graph, ())]
    if problems:
        more = f" and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise ModelError(
            f"graph '{graph.name}' does not hold together: {'; '.join(problems[:20])}{more}."
        )
    return _sorted(graph)


def _made(graph: Graph) -> Iterator[str]:
    yield from (value.name for value in graph.inputs)
    yield from graph.constants
    for node in graph.nodes:
        yield from filter(None, node.outputs)


Scopes = tuple[Container[str], ...]
"""The names of each graph around one: not joined, for thousands of graphs may lie in a large
one."""


def _duplicates(graph: Graph, outer: Scopes) -> Iterator[str]:
    counts = Counter(_made(graph))
    yield from (f"'{name}' is made {count} times" for name, count in counts.items() if count > 1)
    hiding = (name for name in counts if _within(name, outer))
    yield from (
        f"'{name}' of the inner graph '{graph.name}' hides a value around it" for name in hiding
    )
    yield from (
        f"output '{name}' is listed twice"
        for name, count in Counter(v.name for v in graph.outputs).items()
        if count > 1
    )
    for node in graph.nodes:
        for inner in node.subgraphs:
            yield from _duplicates(inner, (*outer, counts))


def _missing(graph: Graph, outer: Scopes) -> Iterator[str]:
    known = (*outer, set(_made(graph)))
    for node in graph.nodes:
        missing = (name for name in node.inputs if name and not _within(name, known))
        yield from (f"{node} uses '{name}', which nothing makes" for name in missing)
        for inner in node.subgraphs:
            yield from _missing(inner, known)
    yield from (
        f"nothing makes the output '{value.name}'"
        for value in graph.outputs
        if not _within(value.name, known)
    )


def _within(name: str, scopes: Scopes) -> bool:
    return any(name in scope for scope in scopes)


def _sorted(graph: Graph) -> Graph:
    graph = replace(graph, nodes=tuple(node.with_subgraphs(_sorted) for node in graph.nodes))
    makers = {
        name: index for index, node in enumerate(graph.nodes) for name in node.outputs if name
    }
    # Of a node with inner graphs, what these take from around them is needed as well.
    needs = [{makers[name] for name in used(node) if name in makers} for node in graph.nodes]
    # Nearly all files are in order: they keep theirs, and cost no sorting.
    if all(max(before, default=-1) < index for index, before in enumerate(needs)):
        return graph
    users: list[list[int]] = [[] for _ in needs]
    for index, before in enumerate(needs):
        for maker in before:
            users[maker].append(index)
    waiting = [len(before) for before in needs]
    ready, order = deque(index for index, count in enumerate(waiting) if count == 0), list[int]()
    # Kahn's algorithm: a node is ready once all that it needs is placed. First come, first served
    # keeps the order near the file's.
    while ready:
        order.append(ready.popleft())
        for user in users[order[-1]]:
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    if len(order) < len(needs):
        # What still waits is on a cycle or behind one.
        stuck = [str(node) for node, count in zip(graph.nodes, waiting, strict=True) if count]
        raise ModelError(
            f"graph '{graph.name}' has a cycle, in or before {', '.join(stuck[:20])}; every "
            "value must be made before it is used."
        )
    return replace(graph, nodes=tuple(graph.nodes[index] for index in order))
