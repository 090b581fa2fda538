"""Quantities that a network answers in the units of other labels than those it learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.tasks import Regression, Task

NEAR = 1e-6


def in_units_of(network: Network, before: Mapping[str, Task], tasks: Sequence[Task]) -> Network:
    """The network whose raw outputs for quantities are standardized as `tasks` say.

    They were by those `before`, by name; one that is not among them is in the labels' own units.
    """
    for task in tasks:
        if not isinstance(task, Regression):
            continue
        old, count = before.get(task.name), task.size
        mean, deviation = np.zeros(count), np.ones(count)
        if isinstance(old, Regression):
            mean, deviation = np.asarray(old.mean), np.asarray(old.deviation)
        factor = deviation / np.asarray(task.deviation)
        offset = (mean - np.asarray(task.mean)) / np.asarray(task.deviation)
        if np.abs(factor - 1).max() > NEAR or np.abs(offset).max() > NEAR:
            network = _scaled(network, task.name, factor, offset)
    return network


def _scaled(network: Network, name: str, factor: np.ndarray, offset: np.ndarray) -> Network:
    """The value behind an output times a factor [size], plus an offset, for all who take it.

    Of an output that is a mean of members these are scaled, which their own answers follow.
    """
    rewriter = Rewriter(network.graph, network.weights)
    mean = rewriter.maker(name, "ReduceMean")
    if mean is not None and rewriter.rank(mean.inputs[0]) == 3:
        name = mean.inputs[0]
    maker = rewriter.maker(name)
    assert maker is not None
    before = rewriter.fresh(f"{name}.before")
    constants = [
        rewriter.constant(f"{name}.{what}", array.astype(np.float32))
        for what, array in (("factor", factor), ("offset", offset))
    ]
    outputs = tuple(before if output == name else output for output in maker.outputs)
    times = rewriter.fresh(f"{name}.times")
    nodes = (
        replace(maker, outputs=outputs),
        Node("Mul", (before, constants[0]), (times,), {}, times),
        Node("Add", (times, constants[1]), (name,), {}, f"{name}.units"),
    )
    rewriter.replace([name], nodes)
    return rewriter.applied_to(network)
