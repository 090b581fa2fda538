"""Networks that answer the same questions as one that answers a weighted mean of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.draft import Draft
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.names import names_in
from allotrope.network.network import Network
from allotrope.network.rewriting.computed_once import computed_once
from allotrope.network.rewriting.ensemble import apart


def united(networks: Sequence[Network], shares: Mapping[str, Sequence[float]]) -> Network:
    """One network of the inputs and outputs that all of these have, by name.

    `shares` are what each network counts in the mean of an output [n, k]. What several of them
    compute alike, such as pre-processing, is computed once. Weights are called `member1.…`,
    `member2.…` and so on; the network says of itself what the first one says.

    Raises: UsageError if inputs or outputs differ, with all differences.
    """
    check_alike(networks)
    first = networks[0]
    # Each in a name space of its own, so that nothing of one is taken for another's.
    parts = [apart(network, f"member{number}") for number, network in enumerate(networks, 1)]
    draft = Draft({name for part in parts for name in names_in(part.graph) | set(part.weights)})
    # The last nodes give what the graph gives: no other value may have these names.
    draft.taken |= {value.name for value in first.outputs}
    for value in first.outputs:
        answers = [part.graph.outputs[_place(part, value)].name for part in parts]
        _mean(draft, value, answers, shares[value.name])
    graphs = [part.graph for part in parts]
    graph = Graph(
        first.inputs,
        first.outputs,
        (*(node for each in graphs for node in each.nodes), *draft.nodes),
        {name: x for each in graphs for name, x in each.constants.items()} | draft.constants,
        {name: value for each in graphs for name, value in each.values.items()}
        | {value.name: value for each in graphs for value in each.outputs},
        name=first.graph.name,
    )
    weights = {name: array for part in parts for name, array in part.weights.items()}
    trainable = frozenset(name for part in parts for name in part.trainable)
    said = dict(first.metadata)
    whole = parts[0].changed(graph=graph, weights=weights, trainable=trainable, metadata=said)
    return computed_once(whole)


def _place(part: Network, value: Value) -> int:
    """Where the output of this name stands, whose name has the member's in front."""
    names = [each.name.partition(".")[2] for each in part.outputs]
    return names.index(value.name)


def _mean(draft: Draft, value: Value, answers: Sequence[str], shares: Sequence[float]) -> None:
    """Nodes whose last one gives the output: the sum of each answer by its share."""
    parts = []
    for answer, share in zip(answers, shares, strict=True):
        weight = draft.constant(f"{answer}.share", np.asarray(share, value.dtype))
        parts.append(draft.add("Mul", [answer, weight], f"{answer}.part"))
    draft.put(Node("Sum", tuple(parts), (value.name,), {}, f"{value.name}.mean"))


def check_alike(networks: Sequence[Network]) -> None:
    """Raises: UsageError if these do not take and answer the same, with all differences."""
    first, *others = networks
    problems = []
    for number, network in enumerate(others, 2):
        for what in ("inputs", "outputs"):
            own, expected = (_ends(each, what) for each in (network, first))
            if own != expected:
                problems.append(
                    f"network {number} has {what} {_in_words(own)}, the first {_in_words(expected)}"
                )
        # Shapes alone do not tell other classes of the same number.
        if classes_of(network) != classes_of(first):
            problems.append(
                f"network {number} answers classes {classes_of(network)}, the first "
                f"{classes_of(first)}"
            )
    if problems:
        raise UsageError(
            f"these networks cannot be members of one: {'; '.join(problems)}. Members take the "
            "same inputs and answer the same tasks: train them on the same columns and classes."
        )


def classes_of(network: Network) -> str:
    """The names of classes that a network says it answers, as its file has them."""
    return network.metadata.get("classes", "")


def _ends(network: Network, what: str) -> dict[str, tuple[str, tuple[object, ...]]]:
    """Dtype and shape by name; a free length may have any name."""
    values: Sequence[Value] = getattr(network, what)
    ends: dict[str, tuple[str, tuple[object, ...]]] = {}
    for value in values:
        lengths = tuple(one if isinstance(one, int) else None for one in value.shape or ())
        ends[value.name] = (str(value.dtype), lengths)
    return ends


def _in_words(ends: Mapping[str, tuple[str, tuple[object, ...]]]) -> str:
    listed = []
    for name, (dtype, lengths) in sorted(ends.items()):
        shape = ", ".join("n" if one is None else str(one) for one in lengths)
        listed.append(f"'{name}' {dtype} [{shape}]")
    return ", ".join(listed) or "none"
