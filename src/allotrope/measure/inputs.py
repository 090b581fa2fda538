"""Random inputs for a network that nothing is known of but its inputs' names, kinds and shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Value


def random_inputs(
    values: Sequence[Value],
    batch: int,
    lengths: Mapping[str, int],
    seed: int | Sequence[int] = 0,
    limits: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """An array for each input: normal for floats, the whole range for uint8, 0 and 1 for other kinds (they may be indices).

    `limits` says for integer inputs what all values must be below.

    Raises: UsageError for an input that has no known rank or is of a kind that has no random values here.
    """
    random = np.random.default_rng(seed)
    return {value.name: _random(random, value, _shape(value, batch, lengths), (limits or {}).get(value.name)) for value in values}


def has_free_batch(inputs: Sequence[Value]) -> bool:
    """Whether the first dimension of any input is free."""
    return any(value.shape and not isinstance(value.shape[0], int) for value in inputs)


def fixed_batch(inputs: Sequence[Value]) -> int:
    """The first dimension of the first input that has one, else 1."""
    return next((value.shape[0] for value in inputs if value.shape and isinstance(value.shape[0], int)), 1)


def is_divisible(inputs: Sequence[Value], outputs: Sequence[Value]) -> bool:
    """Whether a batch may be run in parts: one input and one output, whose first dimension has one free name."""
    if len(inputs) != 1 or len(outputs) != 1 or not inputs[0].shape or not outputs[0].shape:
        return False
    first = inputs[0].shape[0]
    return isinstance(first, str) and first == outputs[0].shape[0]


def parse_lengths(dimensions: Sequence[str], inputs: Sequence[Value]) -> dict[str, int]:
    """Lengths of free dimensions by name, from texts such as `sequence=128`, or several with commas between them.

    Raises: UsageError for anything else, or a name that no input has.
    """
    free = {d for value in inputs for d in (value.shape or ()) if isinstance(d, str)}
    lengths = {}
    for text in (part.strip() for several in dimensions for part in several.split(",") if part.strip()):
        name, _, length = text.rpartition("=")
        if name not in free or not length.isdecimal() or int(length) < 1:
            known = ", ".join(sorted(free)) or "none"
            raise UsageError(f"'{text}' is not a free dimension and its length, such as sequence=128. Free here: {known}.")
        lengths[name] = int(length)
    return lengths


def _shape(value: Value, batch: int, lengths: Mapping[str, int]) -> tuple[int, ...]:
    if value.shape is None:
        raise UsageError(f"input '{value.name}' does not say how many dimensions it has; none can be made up.")
    return tuple(
        dimension if isinstance(dimension, int) else batch if axis == 0 else lengths.get(dimension or "", 1)
        for axis, dimension in enumerate(value.shape)
    )


def _random(random: np.random.Generator, value: Value, shape: tuple[int, ...], limit: int | None) -> np.ndarray:
    dtype = np.dtype(value.dtype)
    if dtype == np.uint8:
        return random.integers(0, limit or 256, shape, dtype=np.uint8)
    if dtype.kind in "biu":
        return random.integers(0, limit or 2, shape).astype(dtype)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    if dtype.kind == "O":
        return np.full(shape, "text", object)
    raise UsageError(f"input '{value.name}' has dtype {dtype}; random values are made of floats, integers, booleans and texts.")
