"""Nodes behind an output that keep its name, and what the file says of the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.columns import with_columns
from allotrope.network.graph import Value
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter


@dataclass(frozen=True)
class EndingStep:
    """A node behind an output: it takes what is there, and a constant if there is one."""

    operator: str
    constant: np.ndarray | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def with_ending(
    network: Network, name: str, size: int, steps: Sequence[EndingStep], facts: Mapping[str, Any]
) -> Network:
    """The network with nodes behind its output `name` [n, size]; the last one has its name now.

    `facts` join those of other tasks in the metadata.

    Raises: UsageError if there is no such output, or it is no row of so many numbers an example.
    """
    output = _output(network, name, size)
    raw = free_name(f"{name}.raw", names_in(network.graph) | network.weights.keys())
    network = network.renamed({name: raw})
    rewriter, value = Rewriter(network.graph, network.weights), raw
    for position, step in enumerate(steps, 1):
        made = name if position == len(steps) else f"{name}.{step.operator.lower()}"
        inputs = [value]
        if step.constant is not None:
            constant = step.constant.astype(output.dtype)
            inputs.append(rewriter.constant(f"{made}.constant", constant))
        value = rewriter.append(step.operator, inputs, made, step.attributes)
    rewriter.give(*(output if end.name == raw else end for end in network.outputs))
    return with_columns(rewriter.applied_to(network), tasks=[facts])


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
