"""Nodes behind an output that keep its name, and what the file says of the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.columns import with_columns
from allotrope.network.graph import Node, Value
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network


@dataclass(frozen=True)
class Step:
    """A node behind an output: it takes what is there, and a constant if there is one."""

    operator: str
    constant: np.ndarray | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def with_ending(
    network: Network, name: str, size: int, steps: Sequence[Step], facts: Mapping[str, Any]
) -> Network:
    """The network with nodes behind its output `name` [n, size], the last of which has its name now.

    `facts` join those of other tasks in the metadata.

    Raises: UsageError if there is no such output, or it is no row of so many numbers an example.
    """
    output = _output(network, name, size)
    taken = names_in(network.graph) | set(network.weights)
    raw = free_name(f"{name}.raw", taken)
    network = network.renamed({name: raw})
    made = [free_name(f"{name}.{step.operator.lower()}", taken) for step in steps[:-1]] + [name]
    constants, nodes = {}, []
    for step, before, behind in zip(steps, [raw, *made], made, strict=False):
        inputs = [before]
        if step.constant is not None:
            constant = free_name(f"{behind}.constant", taken)
            constants[constant] = step.constant.astype(output.dtype)
            inputs.append(constant)
        nodes.append(Node(step.operator, tuple(inputs), (behind,), dict(step.attributes), behind))
    graph = network.graph
    graph = replace(
        graph,
        outputs=tuple(output if value.name == raw else value for value in graph.outputs),
        nodes=(*graph.nodes, *nodes),
        constants={**graph.constants, **constants},
    )
    return with_columns(network.changed(graph=graph), tasks=[facts])


def _output(network: Network, name: str, size: int) -> Value:
    output = next((value for value in network.outputs if value.name == name), None)
    if output is not None and _fits(output, size):
        return output
    gives = ", ".join(f"'{value.name}' {value.shape}" for value in network.outputs)
    raise UsageError(
        f"task '{name}' needs an output of its name, [n, {size}]; "
        f"this network gives {gives or 'nothing'}."
    )


def _fits(output: Value, size: int) -> bool:
    shape = output.shape
    return shape is None or (len(shape) == 2 and shape[1] in (size, None))
