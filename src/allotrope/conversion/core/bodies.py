"""What is known of the values inside of a subgraph, by what the graph around it passes to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.errors import ModelError
from allotrope.network.graph import UNKNOWN, Graph, Node, Value
from allotrope.network.reading.shapes import infer_shapes
from allotrope.network.used import used

COUNTERS = (Value("", np.dtype(np.int64), ()), Value("", np.dtype(np.bool_), ()))
"""What a Loop's body takes first: the number of the iteration, and the condition."""


def typed(
    graph: Graph, node: Node, values: Mapping[str, Value], arrays: Mapping[str, np.ndarray]
) -> Graph:
    """The subgraph of a node with what can be inferred of its values; as it is if nothing can.

    `values` are those of the graph around it, `arrays` its constants and weights by name.
    """
    inputs = tuple(
        _known(value, passed)
        for value, passed in zip(
            graph.inputs, _passed(node, len(graph.inputs), values), strict=True
        )
    )
    # Names that the subgraph reads and does not make are those of the graph around it.
    own = {value.name for value in inputs} | {
        name for inner in graph.nodes for name in inner.outputs
    }
    read = {name for inner in graph.nodes for name in used(inner)} - own
    around = tuple(
        values[name]
        for name in sorted(read)
        if name in values and name not in arrays and values[name].dtype != UNKNOWN
    )
    constants = {
        **graph.constants,
        **{name: arrays[name] for name in sorted(read) if name in arrays},
    }
    try:
        inferred = infer_shapes(replace(graph, inputs=(*inputs, *around), constants=constants), {})
    # Nothing depends on it: what is not known is asked for when the subgraph is written.
    except ModelError:
        return replace(graph, inputs=inputs)
    return replace(graph, inputs=inputs, values=inferred.values)


def _passed(node: Node, count: int, values: Mapping[str, Value]) -> Sequence[Value | None]:
    """For each input of a body what is passed to it, as far as it is known.

    Of a Loop's states only the dtype, for their shapes may change.
    """
    if node.operator != "Loop":
        return [None] * count
    states = [values.get(name) for name in node.inputs[2:]]
    return [*COUNTERS, *(value and replace(value, shape=None) for value in states)]


def _known(declared: Value, passed: Value | None) -> Value:
    """What is declared of an input, and if that is nothing, what is passed to it."""
    if passed is None or declared.dtype != UNKNOWN:
        return declared
    return replace(passed, name=declared.name)
