"""A batch that is free by the inputs' declaration alone, while nodes inside fix it at 1.

Tools that rename an input's first length leave the targets of Reshape as they were.
"""

from __future__ import annotations

from dataclasses import replace

from allotrope.errors import ModelError
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.batch.placement import Mixes, Placement
from allotrope.network.rewriting.batch.tried import tried

_FREE = 64


def baked_inside(network: Network) -> Network | None:
    """The network as it truly is, for one example; None if it may well be for any number.

    It is looked into only where a Reshape spells a 1 out, and is one for one example only if more
    at once cannot be computed, or are answered differently.
    """
    lengths = {value.shape[0] if value.shape else None for value in network.inputs}
    (length,) = lengths if len(lengths) == 1 else (None,)
    if not isinstance(length, str) or not _spells_one(network):
        return None
    try:
        one = _for_one(network, length)
        places = {value.name: Placement(0) for value in network.inputs}
        tried(
            one, network, 1, places, {value.name: Placement(0) for value in network.outputs}, _FREE
        )
    except Mixes:
        return one
    except ModelError:
        return None
    return None


def _spells_one(network: Network) -> bool:
    arrays = network.weights.keys() | network.graph.constants.keys()
    targets = [
        network.graph.constants.get(node.inputs[1])
        for node in network.graph.nodes
        if node.operator == "Reshape" and not node.domain and node.inputs[0] not in arrays
    ]
    return any(target is not None and target.size > 1 and target.flat[0] == 1 for target in targets)


def _for_one(network: Network, length: str) -> Network:
    """Raises: ModelError where it is none for one example either."""

    def fixed(value: Value) -> Value:
        shape = value.shape and tuple(1 if other == length else other for other in value.shape)
        return replace(value, shape=shape)

    inputs = tuple(fixed(value) for value in network.inputs)
    return network.changed(inputs=inputs)
