"""A network that answers the mean for an example and for its mirror image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from allotrope.network.draft import Draft
from allotrope.network.graph import Node, Value
from allotrope.network.names import names_in
from allotrope.network.network import Network


def in_mirror(network: Network, axes: Mapping[str, int]) -> Network:
    """The network that answers the mean for an example and for its mirror image.

    `axes` say along which axis an input is mirrored; the others are as they are in both. Both are
    one batch of twice as many examples, so that the file is no larger and a layer is called once.
    """
    doubled = {value.name: f"{value.name}.twice" for value in (*network.inputs, *network.outputs)}
    inner = network.renamed(doubled)
    draft = Draft(names_in(inner.graph) | set(inner.weights) | doubled.keys())
    for value in network.inputs:
        _twice(draft, value, axes.get(value.name), doubled[value.name])
    # Nodes stand in the order in which they are computed, the network between the two parts.
    front, draft.nodes = draft.nodes, []
    for value in network.outputs:
        _mean_of_halves(draft, value, doubled[value.name])
    graph = replace(
        inner.graph,
        inputs=network.inputs,
        outputs=network.outputs,
        nodes=(*front, *inner.graph.nodes, *draft.nodes),
        constants={**inner.graph.constants, **draft.constants},
    )
    return inner.changed(graph=graph)


def _twice(draft: Draft, value: Value, axis: int | None, name: str) -> None:
    """Nodes that put the examples and their mirror images behind each other."""
    # Text or a row beside a picture has no mirror image, and is itself in both.
    mirrored = value.name
    if axis is not None:
        side = (value.shape or ())[axis]
        assert isinstance(side, int)
        backwards = draft.constant(f"{value.name}.backwards", np.arange(side - 1, -1, -1))
        mirrored = draft.add(
            "Gather", [value.name, backwards], f"{value.name}.mirrored", {"axis": axis}
        )
    draft.put(Node("Concat", (value.name, mirrored), (name,), {"axis": 0}, name))


def _mean_of_halves(draft: Draft, value: Value, answers: str) -> None:
    """Nodes that make [n, k] of answers [2 * n, k], the mean of the first and the second half."""
    size = (value.shape or ())[-1]
    assert isinstance(size, int)
    lengths = draft.constant(f"{value.name}.halves", np.array([2, -1, size], np.int64))
    halves = draft.add("Reshape", [answers, lengths], f"{value.name}.apart")
    over = draft.constant(f"{value.name}.over", np.array([0], np.int64))
    # No other node has this name: quantizers refuse two of one.
    name = f"{value.name}.of_halves"
    draft.put(Node("ReduceMean", (halves, over), (value.name,), {"keepdims": 0}, name))
