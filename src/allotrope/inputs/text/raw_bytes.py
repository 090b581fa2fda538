"""Texts as rows of UTF-8 bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STEP = 16
"""Columns of training texts are a multiple of so many bytes long."""
MOST = 4096
"""Bytes of a training text that are looked at, at the most."""
NEARLY_ALL = 0.99
"""The part of the training texts that is looked at whole, if the others are far longer."""
SHORT = 512
AT_ONCE = 4096
"""Texts are looked at so many at a time, as a flag a byte of all may not fit into memory."""
SHORTEST = 48
"""Bytes of the shortest of the lengths to which batches of training texts are cut."""


def encoded(text: str) -> bytes:
    """UTF-8; a zero, which would end the text, is a space, and half a character a question mark."""
    return text.replace("\0", " ").encode("utf-8", "replace")


def row_of(text: str) -> np.ndarray:
    """uint8 [length], at least one byte."""
    return np.frombuffer(encoded(text) or b" ", np.uint8)


def lengths_of(texts: Sequence[str]) -> np.ndarray:
    """The bytes of each text, int64 [n]."""
    return np.fromiter((len(encoded(text)) for text in texts), np.int64, len(texts))


def rows_of(texts: Sequence[str], length: int) -> np.ndarray:
    """uint8 [n, length], cut or filled with zeros."""
    rows = np.zeros((len(texts), length), np.uint8)
    for row, text in zip(rows, texts, strict=True):
        data = encoded(text)[:length]
        row[: len(data)] = np.frombuffer(data, np.uint8)
    return rows


def usual_length(lengths: np.ndarray) -> int:
    """Bytes that hold nearly all of the texts whole, which have so many [n]."""
    length = float(np.quantile(lengths, NEARLY_ALL, method="higher"))
    longest = int(lengths.max())
    if longest <= max(2 * length, SHORT):
        length = longest
    return int(min(-(-max(length, 1) // STEP) * STEP, MOST))


def byte_counts(x: np.ndarray) -> np.ndarray:
    """The bytes of each text of uint8 [n, length], without the zeros at its end: int64 [n]."""
    counts = np.zeros(len(x), np.int64)
    for start in range(0, len(x), AT_ONCE):
        there = x[start : start + AT_ONCE] != 0
        lasts = x.shape[1] - there[:, ::-1].argmax(1)
        counts[start : start + AT_ONCE] = np.where(there.any(1), lasts, 0)
    return counts


def rounded_up(lengths: np.ndarray, longest: int, shortest: int = SHORTEST) -> np.ndarray:
    """The next of 48, 72, 112, 168, 248, … for each length [n]; `longest` at the most.

    They begin with `shortest`.
    """
    # Each is half as long again: with twice as many of them batches of TREC's and SST-2's texts
    # would have 5 % less padding, and JAX would compile for seconds more for each.
    steps = [-(-round(shortest * 1.5**power) // 8) * 8 for power in range(48)]
    allowed = np.array([*(step for step in steps if step < longest), longest], np.int64)
    return allowed[np.searchsorted(allowed, lengths)]


def together(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Texts uint8 [length] of any lengths as one uint8 [n, length], filled with zeros."""
    whole = np.zeros((len(rows), max(map(len, rows))), np.uint8)
    for place, row in zip(whole, rows, strict=True):
        place[: len(row)] = row
    return whole


def text_of(row: np.ndarray) -> str:
    """The text of uint8 [length] without the zeros at its end."""
    return row.tobytes().rstrip(b"\0").decode("utf-8", "replace")
