"""Brings the operators of any opset from 6 to the one opset that everything here means.

Each function takes a node as it was before the version it is registered with, and gives nodes that
mean the same in `OPSET`. Sources: the operator changelog of ONNX (docs/Changelog.md) and, where it
leaves a choice, what ONNX Runtime computes.
"""

from __future__ import annotations

from dataclasses import replace

import allotrope.network.reading.old_normalizations
import allotrope.network.reading.old_operators
import allotrope.network.reading.old_resizing  # noqa: F401 - they fill the table
from allotrope.errors import UnsupportedError
from allotrope.network.graph import Graph, Node
from allotrope.network.reading.adapters import ADAPTERS, Upgrade, adapter_of


def is_upgraded(operator: str, opset: int) -> bool:
    """Whether there is a way from an operator as it was in an opset to `OPSET`."""
    return opset < ADAPTERS.get(operator, (0, None))[0]


def needs_upgrade(graph: Graph, opset: int, late: bool) -> bool:
    """Whether any node of the graph was different in the opset it was written for.

    `late` asks for those in `LATE`, or the others.
    """
    return any(
        adapter_of(node, opset, late)
        or any(needs_upgrade(inner, opset, late) for inner in node.subgraphs)
        for node in graph.nodes
    )


def upgrade(graph: Graph, up: Upgrade, late: bool) -> Graph:
    """The same graph in `OPSET`, in two calls: without and with `late`.

    The constants that it needs beside its own are in `up.added`.

    Raises: UnsupportedError naming every node that has no equal there.
    """
    nodes: list[Node] = []
    problems: list[str] = []
    for node in graph.nodes:
        node = node.with_subgraphs(lambda inner: upgrade(inner, up, late))
        adapter = adapter_of(node, up.opset, late)
        try:
            nodes += adapter(node, up) if adapter else [node]
        except UnsupportedError as error:
            problems.append(f"{node} of opset {up.opset}: {error}")
    if problems:
        raise UnsupportedError(
            f"nodes that mean something that ONNX has dropped: {'; '.join(problems)}."
        )
    return replace(graph, nodes=tuple(nodes))
