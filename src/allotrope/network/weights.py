"""Which arrays of a file are weights: trainable, or state; all others are constants.

ONNX does not say. What decides is where an array goes, by the table below; a file that was written here says it itself, in
metadata, where the table would decide otherwise.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

from allotrope.errors import ModelError
from allotrope.network.ends import preprocessing_arrays
from allotrope.network.graph import Graph, Node

if TYPE_CHECKING:
    from allotrope.network.network import Network

RECORD = "allotrope.weights"
"""The metadata entry: a JSON object with the names under `trainable` and under `state`."""

TRAINABLE_INPUTS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2),
    "CausalConvWithState": (1, 2),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "DeformConv": (1, 3),
    "Einsum": (0, 1, 2, 3),
    "GRU": (1, 2, 3),
    "Gather": (0,),
    "Gemm": (0, 1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LSTM": (1, 2, 3, 7),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3),
}
"""Inputs by position whose float arrays are learned."""

STATE_INPUTS: Mapping[str, tuple[int, ...]] = {"BatchNormalization": (3, 4)}
"""Inputs by position whose float arrays training updates without a gradient."""

ELEMENTWISE = frozenset({"Add", "Concat", "Div", "Mul", "Sub", "Sum"})
"""Operators that take learned arrays (a bias, a scale, a position embedding) and plain numbers alike: of one element, it is a number."""

PASSING = frozenset({"Cast", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"})
"""Operators behind which the first input is still the same array, in another form."""


@dataclass(frozen=True)
class Roles:
    """The names of the weights among the arrays of a file."""

    trainable: frozenset[str]
    state: frozenset[str]


def roles(graph: Graph, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> Roles:
    """What metadata says, else what the table decides. Raises: ModelError where the metadata entry is malformed."""
    if RECORD in metadata:
        return _from_record(metadata[RECORD], arrays)
    return by_use(graph, arrays)


def by_use(graph: Graph, arrays: Mapping[str, np.ndarray], behind: bool = True) -> Roles:
    """The weights among `arrays`, by the inputs that they go to, or with `behind` what `PASSING` operators make of them."""
    uses: dict[str, list[tuple[Node, int]]] = defaultdict(list)
    for node in every_node(graph):
        for position, name in enumerate(node.inputs):
            uses[name].append((node, position))
    trainable, state = set(), set()
    for name, array in arrays.items():
        if is_float(array.dtype):
            found = set(_roles_of(name, array.size, uses, behind))
            if "trainable" in found:
                trainable.add(name)
            elif "state" in found:
                state.add(name)
    return Roles(frozenset(trainable), frozenset(state))


def recorded(network: Network) -> dict[str, str]:
    """The metadata entry that a file of this network needs: none where it is read the same without, whatever is repaired."""
    arrays = {**network.graph.constants, **network.weights}
    own = Roles(network.trainable, frozenset(network.weights.keys() - network.trainable))
    plain = by_use(network.graph, arrays), by_use(network.graph, arrays, behind=False)
    if plain == (own, own) and not preprocessing_arrays(replace(network.graph, constants=arrays)) & own.trainable:
        return {}
    return {RECORD: json.dumps({"trainable": sorted(own.trainable), "state": sorted(own.state)})}


def is_float(dtype: np.dtype) -> bool:
    """Whether training can compute with it; the 8-bit and smaller floats only store."""
    return dtype.kind == "f" or dtype == ml_dtypes.bfloat16


def every_node(graph: Graph) -> Iterator[Node]:
    """The nodes of a graph and of the graphs inside it."""
    for node in graph.nodes:
        yield node
        for subgraph in node.subgraphs:
            yield from every_node(subgraph)


def _roles_of(name: str, size: int, uses: Mapping[str, list[tuple[Node, int]]], behind: bool) -> Iterator[str]:
    pending, seen = [name], {name}
    while pending:
        for node, position in uses.get(pending.pop(), ()):
            if position in TRAINABLE_INPUTS.get(node.operator, ()) or (node.operator in ELEMENTWISE and size > 1):
                yield "trainable"
            if position in STATE_INPUTS.get(node.operator, ()):
                yield "state"
            if behind and node.operator in PASSING and position == 0:
                pending += [output for output in node.outputs if output not in seen]
                seen |= set(node.outputs)


def _from_record(text: str, arrays: Mapping[str, np.ndarray]) -> Roles:
    """Names that a later tool took out of the file are passed over."""
    try:
        record = json.loads(text)
        groups = [[str(name) for name in record[kind]] for kind in ("trainable", "state")]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"metadata '{RECORD}' must be a JSON object with lists of names under 'trainable' and 'state', found {text[:80]!r}. "
            "Remove the entry, or write it again."
        ) from error
    trainable, state = (frozenset(n for n in names if n in arrays and is_float(arrays[n].dtype)) for names in groups)
    return Roles(trainable, state - trainable)
