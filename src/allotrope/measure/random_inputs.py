"""Random inputs for a network that nothing is known of but its inputs' names, kinds and shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.errors import UsageError
from allotrope.measure.kinds import values_of
from allotrope.measure.roles import roles
from allotrope.network.graph import Dimension, Value
from allotrope.network.network import Network


def random_inputs(
    values: Sequence[Value],
    batch: int,
    lengths: Mapping[str, int],
    seed: int | Sequence[int] = 0,
    kinds: Mapping[str, str] | None = None,
) -> dict[str, np.ndarray]:
    """An array for each input, of the kind that `kinds` says (`allotrope.measure.kinds`).

    Else normal for floats, the whole range for uint8, 0 and 1 for others (they may be indices).

    Raises: UsageError for an input that has no known rank or is of a kind that has no random values
    here.
    """
    random = np.random.default_rng(seed)
    wanted = kinds or {}
    return {
        value.name: values_of(
            wanted.get(value.name) or _usual(value),
            value.dtype,
            _shape(value, batch, lengths),
            random,
        )
        for value in values
    }


def sensible_inputs(
    network: Network, batch: int, lengths: Mapping[str, int], seed: int | Sequence[int] = 0
) -> dict[str, np.ndarray]:
    """`random_inputs` of the kinds that inputs are taken for: masks, lengths, indices."""
    named = named_lengths(network.inputs, batch, lengths)
    kinds = {name: role.kind for name, role in roles(network, named).items()}
    return random_inputs(network.inputs, batch, named, seed, kinds)


def named_lengths(
    values: Sequence[Value], batch: int, lengths: Mapping[str, int]
) -> dict[str, int]:
    """The lengths by name, those of the batch among them."""
    names = [name for name in batch_names(values) if name is not None]
    return {**dict.fromkeys(names, batch), **lengths}


def batch_names(values: Sequence[Value]) -> set[str | None]:
    """The names of free dimensions that are the batch, None for one without a name.

    They come first, but so may a sequence: a name that says batch decides, and one that says time
    or length is none.
    """
    first = {v.shape[0] for v in values if v.shape and not isinstance(v.shape[0], int)}
    words = {name: set(re.findall(r"[a-z]+", (name or "").lower())) for name in first}
    sure = {name for name in first if words[name] & BATCH_WORDS}
    return sure or {name for name in first if not words[name] & SEQUENCE_WORDS} or first


BATCH_WORDS = frozenset({"b", "batch", "batchsize", "bs", "bsz", "n"})
SEQUENCE_WORDS = frozenset(
    {"frames", "len", "length", "seq", "sequence", "steps", "t", "time", "tokens"}
)
"""What the names of free dimensions say."""

BATCHES = ((2**15, 8), (2**17, 4))
"""Up to how many numbers in an example a batch has how many examples; beyond that 2."""


def fitting_batch(inputs: Sequence[Value]) -> int:
    """A batch that fits the size of an example; a free length counts as 64."""
    shapes = [value.shape[1:] for value in inputs if value.shape]
    size = sum(math.prod(n if isinstance(n, int) else 64 for n in shape) for shape in shapes)
    return next((batch for largest, batch in BATCHES if size <= largest), 2)


def has_free_batch(inputs: Sequence[Value]) -> bool:
    """Whether the first dimension of any input is free."""
    return any(value.shape and not isinstance(value.shape[0], int) for value in inputs)


def fixed_batch(inputs: Sequence[Value]) -> int:
    """The first dimension of the first input that has one, else 1."""
    return next(
        (value.shape[0] for value in inputs if value.shape and isinstance(value.shape[0], int)), 1
    )


def is_divisible(inputs: Sequence[Value], outputs: Sequence[Value]) -> bool:
    """Whether a batch may run in parts: one input, one output, one free name for the first axis."""
    if len(inputs) != 1 or len(outputs) != 1 or not inputs[0].shape or not outputs[0].shape:
        return False
    first = inputs[0].shape[0]
    return isinstance(first, str) and first == outputs[0].shape[0]


def parse_lengths(dimensions: Sequence[str], inputs: Sequence[Value]) -> dict[str, int]:
    """Lengths of free dimensions by name, from texts such as `sequence=128`, also with commas.

    Raises: UsageError for anything else, or a name that no input has.
    """
    free = {d for value in inputs for d in (value.shape or ()) if isinstance(d, str)}
    lengths = {}
    for text in (
        part.strip() for several in dimensions for part in several.split(",") if part.strip()
    ):
        name, _, length = text.rpartition("=")
        if name not in free or not length.isdecimal() or int(length) < 1:
            known = ", ".join(sorted(free)) or "none"
            raise UsageError(
                f"'{text}' is not a free dimension and its length, such as sequence=128. Free "
                f"here: {known}."
            )
        lengths[name] = int(length)
    return lengths


def _shape(value: Value, batch: int, lengths: Mapping[str, int]) -> tuple[int, ...]:
    if value.shape is None:
        raise UsageError(
            f"input '{value.name}' does not say how many dimensions it has; none can be made up."
        )
    first = [_first_length(length, batch, lengths) for length in value.shape[:1]]
    rest = [n if isinstance(n, int) else lengths.get(n or "", 1) for n in value.shape[1:]]
    return (*first, *rest)


def _first_length(length: Dimension, batch: int, lengths: Mapping[str, int]) -> int:
    """The length of a first axis: the batch, unless its name has another length."""
    if isinstance(length, int):
        return length
    if length is None:
        return batch
    return lengths.get(length, batch)


def _usual(value: Value) -> str:
    """The kind of values of an input of which nothing more is known."""
    if value.dtype == np.uint8:
        return "0..255"
    if value.dtype.kind in "biu":
        return "0..1"
    if value.dtype.kind == "f" or value.dtype.name == "bfloat16":
        return "normal"
    if value.dtype.kind == "O":
        return "text"
    raise UsageError(
        f"input '{value.name}' has dtype {value.dtype}; "
        "random values are made of floats, integers, booleans and texts."
    )
