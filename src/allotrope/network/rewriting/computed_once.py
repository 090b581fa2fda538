"""What several parts of a network compute alike is computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.names import with_names
from allotrope.network.network import Network
from allotrope.network.used import without_unused

DRAWN = frozenset({"Bernoulli", "Dropout", "Multinomial"})
"""Operators beside Random… that answer otherwise each time."""


def computed_once(network: Network) -> Network:
    """The network without nodes that do what one before them does with the same values.

    Arrays count by what they hold, so that layers that are frozen in all members are one. Of what
    is dropped the arrays go too; what stays keeps its own.
    """
    arrays = {**network.graph.constants, **network.weights}
    content = {name: _content(array) for name, array in arrays.items()}
    outputs = {value.name for value in network.outputs}
    first: dict[tuple[Any, ...], Node] = {}
    names: dict[str, str] = {}
    nodes = []
    for node in network.graph.nodes:
        # What it takes may have become another's, by which it may be another's as well.
        node = with_names(node, names)
        key = _key(node, content)
        # An output keeps the node that gives it, as its name is the network's own.
        if key is None or outputs & set(node.outputs):
            nodes.append(node)
        elif key in first:
            names |= dict(zip(node.outputs, first[key].outputs, strict=True))
        else:
            first[key] = node
            nodes.append(node)
    if not names:
        return network
    graph = replace(network.graph, nodes=tuple(nodes))
    return network.changed(graph=without_unused(graph))


def _key(node: Node, content: Mapping[str, tuple[Any, ...]]) -> tuple[Any, ...] | None:
    """What nodes that do the same have in common; None if it does not always do the same."""
    if node.operator.startswith("Random") or node.operator in DRAWN or any(node.subgraphs):
        return None
    inputs = tuple(content.get(name, name) for name in node.inputs)
    attributes = tuple(sorted((name, _plain(value)) for name, value in node.attributes.items()))
    left_out = tuple(bool(name) for name in node.outputs)
    return node.domain, node.operator, inputs, attributes, left_out


def _plain(value: Any) -> str:
    """An attribute as text that tells it from others."""
    if isinstance(value, np.ndarray):
        return str(_content(value))
    return f"{type(value).__name__} {value!r}"


def _content(array: np.ndarray) -> tuple[Any, ...]:
    if array.dtype.kind in "OU":
        return array.shape, repr(array.tolist())
    digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
    return str(array.dtype), array.shape, digest
