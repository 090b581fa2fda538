"""Two networks that answer the same questions as one that answers a mean of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.chained import chained


def averaged(first: Network, second: Network, shares: Mapping[str, float]) -> Network:
    """A network of the inputs and outputs of both, which have the same ones by name.

    `shares` are what `first` counts in the mean of each output; `second` counts the rest. The
    network says of itself what `first` says.
    """
    sides = (".first", ".second")
    whole = _spread(first.inputs, sides)
    for network, side in zip((first, second), sides, strict=True):
        whole = chained(whole, _apart(network, side))
    whole = chained(whole, _means(first.outputs, sides, shares))
    return whole.changed(metadata=dict(first.metadata))


def _apart(network: Network, side: str) -> Network:
    """The network with ends and nodes that are called otherwise than those of the other side."""
    ends = [value.name for value in (*network.inputs, *network.outputs)]
    renamed = network.renamed({name: f"{name}{side}" for name in ends})
    # Runtimes refuse two nodes of one name, though nothing else depends on it.
    nodes = tuple(replace(node, name=f"{node.label}{side}") for node in renamed.graph.nodes)
    return renamed.changed(graph=replace(renamed.graph, nodes=nodes))


def _spread(inputs: Sequence[Value], sides: Sequence[str]) -> Network:
    """Each input twice, for either network under a name of its own."""
    build = Builder("averaged")
    for value in inputs:
        x = build.input(value.name, value.dtype, value.shape or ())
        for side in sides:
            build.output(build.add("Identity", [x], name=f"{x}{side}.copy"), f"{x}{side}")
    return build.network()


def _means(outputs: Sequence[Value], sides: Sequence[str], shares: Mapping[str, float]) -> Network:
    build = Builder("means")
    for value in outputs:
        parts = []
        for side, share in zip(sides, (shares[value.name], 1 - shares[value.name]), strict=True):
            name = f"{value.name}{side}"
            answer = build.input(name, value.dtype, value.shape or ())
            weight = build.constant(np.asarray(share, value.dtype), f"{name}.share")
            parts.append(build.add("Mul", [answer, weight], name=f"{name}.part"))
        build.output(build.add("Add", parts, name=f"{value.name}.mean"), value.name)
    return build.network()
