"""The network as data: values, nodes and graphs, all immutable. Nothing here knows a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Dimension = int | str | None
"""A known length, a named free length such as `n`, or an unknown one."""

UNKNOWN = np.dtype(np.void)
"""The type of a value of which nothing is known, as of the inputs of a subgraph."""


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of an array before it is computed.

    `shape` is None where even the rank is unknown.
    """

    name: str
    dtype: np.dtype
    shape: tuple[Dimension, ...] | None


@dataclass(frozen=True, slots=True)
class Node:
    """One use of an operator.

    `inputs` and `outputs` are value names, `""` for an optional one that is left out. Attribute
    values are Python ints, floats, strings, tuples of these, NumPy arrays (tensors) or `Graph`
    (subgraphs).
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    domain: str = ""

    def __str__(self) -> str:
        """How messages speak of the node: `Conv (node 'layer1/conv')`."""
        operator = f"{self.domain}::{self.operator}" if self.domain else self.operator
        return f"{operator} (node '{self.label}')"

    @property
    def label(self) -> str:
        """The node's name, or that of the first value that it makes."""
        return self.name or next(filter(None, self.outputs), "")

    def input(self, position: int) -> str:
        """The name of an input; empty if it is left out."""
        return self.inputs[position] if position < len(self.inputs) else ""

    def with_input(self, position: int, name: str) -> Node:
        """The node with another input, at a position that it has."""
        inputs = (*self.inputs[:position], name, *self.inputs[position + 1 :])
        return replace(self, inputs=inputs)

    @property
    def subgraphs(self) -> Iterator[Graph]:
        """The graphs among the attributes, as in If, Loop and Scan."""
        return (value for value in self.attributes.values() if isinstance(value, Graph))

    def with_subgraphs(self, change: Callable[[Graph], Graph]) -> Node:
        """The node with each graph among its attributes changed; itself if there is none."""
        graphs = {
            name: change(value)
            for name, value in self.attributes.items()
            if isinstance(value, Graph)
        }
        return replace(self, attributes={**self.attributes, **graphs}) if graphs else self


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which every value is made before it is used.

    `constants` never change in training; weights are not here but in the `Network`, by name.
    `values` holds what shape inference found for inner values, by name. `documentation` is ONNX's
    doc_string.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    name: str = "network"
    documentation: str = ""
