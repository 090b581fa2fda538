"""Checks that arrays fit the inputs of a network, once for every framework."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Value
from allotrope.network.network import Network


def check_inputs(network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays by name, for exactly the network's inputs. Raises: one UsageError with all that does not fit."""
    declared = {value.name: value for value in network.inputs}
    problems = [f"no array for input '{name}'" for name in declared if name not in inputs]
    problems += [f"'{name}' is not an input" for name in inputs if name not in declared]
    arrays = {name: np.asarray(inputs[name]) for name in declared if name in inputs}
    problems += [p for name, array in arrays.items() for p in _misfits(declared[name], array)]
    if problems:
        known = ", ".join(f"{v.name} {v.dtype} {list(v.shape) if v.shape is not None else ''}" for v in declared.values())
        raise UsageError(f"the inputs do not fit the network: {'; '.join(problems)}. Expected: {known}.")
    return arrays


def _misfits(value: Value, array: np.ndarray) -> list[str]:
    problems = []
    if array.dtype != value.dtype:
        problems.append(f"'{value.name}' has dtype {array.dtype} instead of {value.dtype}")
    if value.shape is not None and not _fits(value, array.shape):
        problems.append(f"'{value.name}' has shape {list(array.shape)} instead of {list(value.shape)}")
    return problems


def _fits(value: Value, shape: tuple[int, ...]) -> bool:
    assert value.shape is not None
    return len(shape) == len(value.shape) and all(not isinstance(w, int) or w == n for w, n in zip(value.shape, shape, strict=True))
