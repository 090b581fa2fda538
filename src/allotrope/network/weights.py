"""Which arrays of a file are weights: trainable, or state; all others are constants.

ONNX does not say. What decides is where an array goes, by the table below; a file that was written
here says it itself, in metadata, where the table would decide otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

from allotrope.errors import ModelError
from allotrope.network.graph import Graph
from allotrope.network.preprocessing import preprocessing_arrays
from allotrope.network.rewriting.flow import Flow, Taker, uses_in

if TYPE_CHECKING:
    from allotrope.network.network import Network

RECORD = "allotrope.weights"
"""The metadata entry: a JSON object with the names under `trainable` and under `state`."""

TRAINABLE_INPUTS: Mapping[str, tuple[int, ...]] = {
    "Attention": (0, 1, 2, 3),
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

FIRST_STATES: Mapping[str, tuple[int, ...]] = {"GRU": (5,), "LSTM": (5, 6), "RNN": (5,)}
"""Inputs by position whose float arrays are learned, unless they are 0: then there is no state
yet."""

ELEMENTWISE = frozenset({"Add", "Concat", "Div", "Mul", "Sub", "Sum"})
"""Operators that take learned arrays (a bias, a scale, a position embedding) and plain numbers
alike: of one element, it is a number."""

MASKED = -100.0
"""The largest number that hides what it is added to: the windows of Swin use just this."""


@dataclass(frozen=True)
class Roles:
    """The names of the weights among the arrays of a file."""

    trainable: frozenset[str]
    state: frozenset[str]


def roles(graph: Graph, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> Roles:
    """What metadata says, else what the table decides.

    Raises: ModelError where the metadata entry is malformed.
    """
    if RECORD in metadata:
        return _from_record(metadata[RECORD], arrays)
    return by_use(graph, arrays)


def by_use(graph: Graph, arrays: Mapping[str, np.ndarray], behind: bool = True) -> Roles:
    """The weights among `arrays`, by the inputs that they go to.

    With `behind`, what is made of them on the way counts too. A state that loops begin with is
    followed into them unless it is 0 throughout, as `FIRST_STATES` are.
    """
    flow = uses_in(graph)
    trainable, state = set(), set()
    for name, array in arrays.items():
        if is_float(array.dtype):
            uses = list(flow.uses(name, behind, into_loops=bool(array.any())))
            if any(_learns(use, array, flow) for use in uses):
                trainable.add(name)
            elif any(use.position in STATE_INPUTS.get(use.node.operator, ()) for use in uses):
                state.add(name)
    return Roles(frozenset(trainable), frozenset(state))


def _learns(use: Taker, array: np.ndarray, flow: Flow) -> bool:
    """Whether the array learns by this use of it."""
    operator, position = use.node.operator, use.position
    if operator == "Add" and array.size == 1 and array.ndim:
        return not flow.products.isdisjoint(use.node.inputs)
    if operator in ELEMENTWISE or (operator == "Attention" and position == 3):
        return array.size > 1 and not is_mask(array)
    if position in FIRST_STATES.get(operator, ()):
        return bool(array.any())
    return position in TRAINABLE_INPUTS.get(operator, ())


def is_mask(array: np.ndarray) -> bool:
    """Whether it holds nothing but 0 and numbers so low that they hide what they are added to."""
    hidden = array <= MASKED
    return bool(hidden.any() and (array[~hidden] == 0).all())


def recorded(network: Network) -> dict[str, str]:
    """The metadata entry that a file of this network needs: none if it is read the same without."""
    arrays = {**network.graph.constants, **network.weights}
    own = Roles(network.trainable, frozenset(network.weights.keys() - network.trainable))
    plain = by_use(network.graph, arrays), by_use(network.graph, arrays, behind=False)
    if (
        plain == (own, own)
        and not preprocessing_arrays(replace(network.graph, constants=arrays)) & own.trainable
    ):
        return {}
    return {RECORD: json.dumps({"trainable": sorted(own.trainable), "state": sorted(own.state)})}


def is_float(dtype: np.dtype) -> bool:
    """Whether training can compute with it; the 8-bit and smaller floats only store."""
    return dtype.kind == "f" or dtype == ml_dtypes.bfloat16


def _from_record(text: str, arrays: Mapping[str, np.ndarray]) -> Roles:
    """Names that a later tool took out of the file are passed over."""
    try:
        record = json.loads(text)
        groups = [[str(name) for name in record[kind]] for kind in ("trainable", "state")]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"metadata '{RECORD}' must be a JSON object with lists of names under 'trainable' "
            f"and 'state', found {text[:80]!r}. "
            "Remove the entry, or write it again."
        ) from error
    trainable, state = (
        frozenset(n for n in names if n in arrays and is_float(arrays[n].dtype)) for names in groups
    )
    return Roles(trainable, state - trainable)
