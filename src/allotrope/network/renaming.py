"""Values under other names: inputs, outputs and what lies between; weights keep theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

from allotrope.errors import UsageError
from allotrope.network.graph import Graph, Node
from allotrope.network.names import free_name, names_in, renamed


def with_values_renamed(graph: Graph, weights: Set[str], names: Mapping[str, str]) -> Graph:
    """The graph with other names for some of its values: `names` is old to new.

    An inner value that has one of the new names already gives way. Nodes keep their names, which
    say where random numbers come from.

    Raises: UsageError if a new name is a weight's, or two values would have one name.
    """
    taken = names_in(graph) | weights
    problems = list(_problems(graph, weights, taken, names))
    if problems:
        raise UsageError(f"values of the network cannot be renamed: {'; '.join(problems)}.")
    apart = {name: free_name(f"{name}/output", taken) for name in sorted(weights & names.keys())}
    graph = _with_outputs_apart(graph, apart)
    wanted = {apart.get(old, old): new for old, new in names.items() if old != new}
    aside = [new for new in wanted.values() if new in taken and new not in wanted]
    return renamed(graph, wanted | {name: free_name(name, taken) for name in aside})


def _problems(
    graph: Graph, weights: Set[str], known: Set[str], names: Mapping[str, str]
) -> Iterator[str]:
    ends = {value.name for value in (*graph.inputs, *graph.outputs)}
    fixed = (weights | ends) - names.keys()
    counts = Counter(names.values())
    for old, new in names.items():
        if old not in known:
            yield f"there is no value '{old}'"
        if not new:
            yield f"'{old}' would have no name"
        if new in fixed:
            yield f"'{old}' cannot be called '{new}': a weight, input or output is"
        if counts[new] > 1:
            yield f"'{old}' would be one of {counts[new]} values called '{new}'"


def _with_outputs_apart(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph in which these outputs, which are weights as they are, are values of their own."""
    if not names:
        return graph
    copies = (Node("Identity", (old,), (new,), {}, new) for old, new in names.items())
    outputs = (replace(value, name=names.get(value.name, value.name)) for value in graph.outputs)
    return replace(graph, nodes=(*graph.nodes, *copies), outputs=tuple(outputs))
