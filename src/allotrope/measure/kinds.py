"""Which random values an input gets, as a short text: `normal`, `0..19`, `mask`.

A user says it in the same words.
"""

from __future__ import annotations

import re

import numpy as np

from allotrope.errors import UsageError

KINDS = {
    "normal": "normal numbers",
    "uniform": "numbers between 0 and 1",
    "mask": "1 for the beginning of each row and 0 for its end",
    "padding": "0 for the beginning of each row and 1 for its end",
    "added-mask": "0 for the beginning of each row and -10000 for its end",
    "positions": "0, 1, 2, ... along each row",
    "text": "the word text",
    "LOW..HIGH": "whole numbers, both ends included",
    "lengths:N": "whole numbers from 1 to N, the longest first",
    "NUMBER": "this one number",
}
"""Every kind, and what its values are."""

HIDDEN = -1e4
"""What an added mask holds for what is not to be seen: float16 has it too."""

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_LENGTHS = re.compile(r"lengths:(\d+)")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


def described(kind: str) -> str:
    """What the values of a kind are, in words."""
    if kind in KINDS:
        return KINDS[kind]
    if match := _RANGE.fullmatch(kind):
        return f"whole numbers from {match[1]} to {match[2]}"
    if match := _LENGTHS.fullmatch(kind):
        return f"whole numbers from 1 to {match[1]}, the longest first"
    return f"the number {kind}"


def check_kind(kind: str) -> str:
    """The same text. Raises: UsageError for one that is no kind."""
    known = kind in KINDS and kind.islower()
    match = _RANGE.fullmatch(kind)
    if match and int(match[1]) > int(match[2]):
        raise UsageError(f"'{kind}' is empty: {match[1]} is more than {match[2]}.")
    if not (known or match or _LENGTHS.fullmatch(kind) or _NUMBER.fullmatch(kind)):
        kinds = "; ".join(f"{name} ({what})" for name, what in KINDS.items())
        raise UsageError(f"'{kind}' is no kind of values. There are: {kinds}.")
    return kind


def values_of(
    kind: str, dtype: np.dtype, shape: tuple[int, ...], random: np.random.Generator
) -> np.ndarray:
    """An array of a kind; a boolean one is True where the number is not 0."""
    if kind == "text":
        return np.full(shape, "text", object)
    numbers = np.asarray(_numbers(kind, shape, random))
    if dtype == np.bool_:
        return numbers != 0
    return numbers.astype(dtype)


def _numbers(kind: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if kind == "normal":
        return random.standard_normal(shape)
    if kind == "uniform":
        return random.random(shape)
    if kind == "positions":
        return np.broadcast_to(np.arange(shape[-1]) if shape else 0, shape)
    if kind in ("mask", "padding", "added-mask"):
        begins = _beginnings(shape, random)
        first, last = {"mask": (1, 0), "padding": (0, 1), "added-mask": (0.0, HIDDEN)}[kind]
        return np.where(begins, first, last)
    if match := _RANGE.fullmatch(kind):
        return random.integers(int(match[1]), int(match[2]), shape, endpoint=True)
    if match := _LENGTHS.fullmatch(kind):
        return _lengths(int(match[1]), shape, random)
    return np.full(shape, float(kind))


def _beginnings(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Whether an element lies in the beginning of its row; a row longer than 1 has an end, too."""
    if not shape:
        return np.asarray(True)
    length = shape[-1]
    counts = random.integers(1, max(length, 2), (*shape[:-1], 1))
    return np.arange(length) < counts


def _lengths(longest: int, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Lengths in falling order, as packed sequences want them, of which one is the longest."""
    lengths = np.sort(random.integers(1, max(longest, 1), shape, endpoint=True), axis=None)[::-1]
    lengths = lengths.reshape(shape).copy()
    if lengths.size:
        lengths.flat[0] = longest
    return lengths
