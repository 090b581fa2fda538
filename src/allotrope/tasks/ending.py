"""Nodes behind an output that keep its name, and what the file says of the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError, UsageError
from allotrope.network.columns import with_columns
from allotrope.network.graph import Value
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.rewriting.rewriter import Rewriter

PASSED = ("Cast", "Identity")


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


def without_ending(network: Network, name: str, steps: Sequence[EndingStep]) -> Network:
    """The network before `with_ending`: its output `name` is what those nodes were behind.

    Raises: UnsupportedError if it does not end in them.
    """
    lookup, value = Lookup(network.graph, network.weights), name
    for step in reversed(steps):
        node = lookup.maker(value, step.operator, *PASSED)
        # Files of other precisions bring their answers back to float32 at the very end.
        while node is not None and node.operator in PASSED:
            value = node.inputs[0]
            node = lookup.maker(value, step.operator, *PASSED)
        if node is None:
            listed = ", ".join(each.operator for each in steps)
            raise UnsupportedError(
                f"output '{name}' does not end in {listed}, as its task says. Take model.onnx of "
                "the run's folder, which is the trained network itself."
            )
        value = node.inputs[0]
    rewriter = Rewriter(network.graph, network.weights)
    (output,) = [end for end in network.outputs if end.name == name]
    ends = {name: replace(output, name=value)}
    rewriter.give(*(ends.get(end.name, end) for end in network.outputs))
    raw = rewriter.applied_to(network)
    inputs, outputs = [x.name for x in raw.inputs], [end.name for end in network.outputs]
    return named_after(raw, inputs, outputs)


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
