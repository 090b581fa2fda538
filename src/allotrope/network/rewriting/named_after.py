"""A network whose inputs and outputs are called as the columns of the data that it learns."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.network.names import free_name, names_in, renamed
from allotrope.network.network import Network


def named_after(network: Network, inputs: Sequence[str], outputs: Sequence[str]) -> Network:
    """The network with these names for its inputs and outputs, in their order.

    Weights keep their names, but for one that is called like a column: that gives way.
    """
    ends = [value.name for value in (*network.inputs, *network.outputs)]
    wanted = [*inputs, *outputs]
    if ends == wanted:
        return network
    network = _with_weights_aside(network, set(wanted))
    return network.renamed(dict(zip(ends, wanted, strict=True)))


def _with_weights_aside(network: Network, names: set[str]) -> Network:
    taken = names_in(network.graph) | set(network.weights) | names
    aside = {name: free_name(name, taken) for name in sorted(names & network.weights.keys())}
    if not aside:
        return network
    weights = {aside.get(name, name): array for name, array in network.weights.items()}
    trainable = {aside.get(name, name) for name in network.trainable}
    return Network(renamed(network.graph, aside), weights, trainable, network.metadata)
