"""Nodes behind an output that keep its name, and what the file says of its tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from allotrope.errors import ModelError, UsageError
from allotrope.network.graph import Node, Value
from allotrope.network.names import free_name, names_in
from allotrope.network.network import Network

TASKS = "tasks"
"""The key of the metadata that says which output answers which task, as JSON: a list of objects."""


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
    said = json.dumps([*tasks_said(network), dict(facts)])
    return network.changed(graph=graph, metadata={TASKS: said})


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


def tasks_said(network: Network) -> list[dict[str, Any]]:
    """What the network's metadata says of its tasks, an object each; none if it says nothing.

    Raises: ModelError if it is no list of objects with a name and a kind.
    """
    text = network.metadata.get(TASKS)
    if text is None:
        return []
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, list) or not all(_names_a_task(entry) for entry in said):
        raise ModelError(
            f"metadata '{TASKS}' must be a JSON list of objects with a name and a kind, "
            f"found {text[:80]!r}."
        )
    return said


def _names_a_task(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("name", "kind"))
