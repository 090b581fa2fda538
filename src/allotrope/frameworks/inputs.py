"""Checks that arrays fit the inputs and outputs of a network, once for every framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.errors import UsageError, printable
from allotrope.network.graph import Value
from allotrope.network.network import Network


def check_inputs(network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays by name, for exactly the network's inputs.

    Raises: one UsageError with all that does not fit.
    """
    declared = {value.name: value for value in network.inputs}
    known, problems = _arrays("input", inputs, declared)
    problems = [
        f"no array for input '{name}'" for name in declared if name not in inputs
    ] + problems
    arrays = {name: known[name] for name in declared if name in known}
    problems += [p for name, array in arrays.items() for p in _misfits(declared[name], array)]
    if problems:
        raise UsageError(
            f"the inputs do not fit the network: {_listed(problems)}. Expected: "
            f"{_expected(declared)}."
        )
    return arrays


def check_output_gradients(network: Network, gradients: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What gradients are taken of, by name, for some of the network's outputs.

    Raises: one UsageError with all that does not fit.
    """
    declared = {value.name: value for value in network.outputs}
    arrays, problems = _arrays("output", gradients, declared)
    problems += [
        f"'{name}' has dtype {a.dtype}, which is no number"
        for name, a in arrays.items()
        if a.dtype.kind in "OSUMm"
    ]
    problems += [p for name, array in arrays.items() for p in _misshapen(declared[name], array)]
    if problems:
        raise UsageError(
            f"the output gradients do not fit the network: {_listed(problems)}. Outputs: "
            f"{_expected(declared)}."
        )
    return arrays


def check_shapes(gradients: Mapping[str, np.ndarray], outputs: Mapping[str, Sequence[int]]) -> None:
    """Once the outputs are there.

    Raises: one UsageError for the gradients whose shapes are not those of their outputs.
    """
    problems = [
        f"'{name}' has shape {list(array.shape)} instead of {list(outputs[name])}"
        for name, array in gradients.items()
        if tuple(array.shape) != tuple(outputs[name])
    ]
    if problems:
        raise UsageError(f"the output gradients do not fit the outputs: {_listed(problems)}.")


def _arrays(
    kind: str, values: Any, declared: Mapping[str, Value]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """What was given as arrays, for names that there are, and what is wrong with the rest."""
    if not isinstance(values, Mapping):
        known = ", ".join(declared)
        raise UsageError(
            f"arrays are given by name, as a dict, and not as a {type(values).__name__}. The "
            f"{kind}s are: {printable(known)}."
        )
    arrays: dict[str, np.ndarray] = {}
    problems = [f"'{name}' is not an {kind}" for name in values if name not in declared]
    for name in declared.keys() & values.keys():
        try:
            array = np.asarray(values[name])
        except (
            TypeError,
            ValueError,
            RuntimeError,
        ) as error:  # rows of different lengths; a tensor that is being differentiated
            problems.append(f"'{name}' cannot be made an array: {error}")
            continue
        arrays[name] = (
            array.astype(object) if array.dtype.kind == "U" else array
        )  # texts are objects here, as in ONNX
    return arrays, problems


def _misfits(value: Value, array: np.ndarray) -> list[str]:
    problems = []
    if array.dtype != value.dtype:
        problems.append(f"'{value.name}' has dtype {array.dtype} instead of {value.dtype}")
    return problems + _misshapen(value, array)


def _misshapen(value: Value, array: np.ndarray) -> list[str]:
    if value.shape is None or _fits(value.shape, array.shape):
        return []
    return [f"'{value.name}' has shape {list(array.shape)} instead of {list(value.shape)}"]


def _fits(declared: Sequence[Any], shape: tuple[int, ...]) -> bool:
    return len(shape) == len(declared) and all(
        not isinstance(w, int) or w == n for w, n in zip(declared, shape, strict=True)
    )


def _listed(problems: Sequence[str]) -> str:
    return "; ".join(printable(problem).replace("\n", "\\n") for problem in problems)


def _expected(declared: Mapping[str, Value]) -> str:
    shapes = (
        f"{v.name} {v.dtype} {list(v.shape) if v.shape is not None else ''}"
        for v in declared.values()
    )
    return printable(", ".join(shapes)).replace("\n", "\\n")
