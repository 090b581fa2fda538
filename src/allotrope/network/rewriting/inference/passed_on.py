"""What reaches a value unchanged in inference."""

from __future__ import annotations

from allotrope.network.rewriting.lookup import Lookup


def source_of(graph: Lookup, name: str) -> str:
    """The value that these numbers were before nodes that change nothing in inference."""
    while (node := graph.maker(name, "Dropout", "Identity")) is not None:
        name = node.inputs[0]
    return name
