"""Two networks that answer the same questions as one that answers their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.chained import chained


def averaged(first: Network, second: Network) -> Network:
    """A network of the inputs and outputs of both, which have the same ones by name.

    It says of itself what `first` says.
    """
    sides = (".first", ".second")
    whole = _spread(first.inputs, sides)
    for network, side in zip((first, second), sides, strict=True):
        whole = chained(whole, _apart(network, side))
    return chained(whole, _means(first.outputs, sides)).changed(metadata=dict(first.metadata))


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


def _means(outputs: Sequence[Value], sides: Sequence[str]) -> Network:
    build = Builder("means")
    for value in outputs:
        answers = [
            build.input(f"{value.name}{side}", value.dtype, value.shape or ()) for side in sides
        ]
        total = build.add("Add", answers, name=f"{value.name}.total")
        half = build.constant(np.asarray(0.5, value.dtype), f"{value.name}.half")
        build.output(build.add("Mul", [total, half], name=f"{value.name}.mean"), value.name)
    return build.network()
