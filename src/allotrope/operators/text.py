"""Texts as counts of n-grams."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.errors import ModelError, UnsupportedError
from allotrope.operators.memory import room_for
from allotrope.operators.operator_table import operator

_FLOAT = np.dtype(np.float32)


@operator("TfIdfVectorizer")
def tf_idf(
    p: Any,
    x: Any,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    mode: str,
    ngram_counts: Sequence[int],
    ngram_indexes: Sequence[int],
    pool_int64s: Sequence[int] | None = None,
    pool_strings: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
) -> Any:
    """How often each n-gram of a pool of integers occurs in x [c] or [n, c]: [(n,) columns].

    Its items may be up to max_skip_count places apart. Mode TF counts, IDF gives the weight of what
    occurs at all, TFIDF the product of both.
    """
    if pool_int64s is None:
        raise UnsupportedError("n-grams of strings are not supported.")
    rows = p.reshape(p.cast(x, np.dtype(np.int64)), (-1, p.shape(x)[-1]))
    counts = _counts(
        p,
        rows,
        _grams(pool_int64s, ngram_counts),
        range(min_gram_length, max_gram_length + 1),
        max_skip_count + 1,
    )
    if mode != "TF":
        if mode != "TFIDF":
            counts = p.cast(p.greater(counts, 0.0), _FLOAT)
        if weights:
            counts = p.multiply(counts, p.constant(np.asarray(weights, _FLOAT)))
    room_for((len(ngram_indexes), max(ngram_indexes) + 1), _FLOAT)
    # A product with a matrix of 0 and 1 puts each count into its column.
    columns = np.zeros((len(ngram_indexes), max(ngram_indexes) + 1), _FLOAT)
    columns[np.arange(len(ngram_indexes)), list(ngram_indexes)] = 1
    y = p.matmul(counts, p.constant(columns))
    if len(p.shape(x)) == 1:
        return p.reshape(y, (-1,))
    return y


def _grams(pool: Sequence[int], starts: Sequence[int]) -> list[np.ndarray]:
    """The n-grams [count, length] of each length from 1 on."""
    bounds = list(itertools.pairwise([*starts, len(pool)]))
    if any(not 0 <= a <= b or (b - a) % length for length, (a, b) in enumerate(bounds, 1)):
        raise ModelError(
            f"ngram_counts {list(starts)} do not divide a pool of {len(pool)} items into n-grams."
        )
    return [
        np.asarray(pool[a:b], np.int64).reshape(-1, length)
        for length, (a, b) in enumerate(bounds, 1)
    ]


def _counts(p: Any, rows: Any, grams: list[np.ndarray], lengths: range, farthest: int) -> Any:
    """Occurrences of every n-gram in rows [n, c], float32 [n, n-grams].

    Those of a length that is not asked for are 0.
    """
    n, c = p.shape(rows)
    parts = []
    for length, wanted in enumerate(grams, 1):
        total = p.full((n, len(wanted)), 0, _FLOAT)
        # A single item has no distance from another.
        most = 1
        if length > 1:
            most = min(farthest, c)
        for distance in range(1, most + 1):
            places = (
                np.arange(max(0, c - distance * (length - 1)))[:, None]
                + np.arange(length) * distance
            )
            if length in lengths and places.size and wanted.size:
                windows = p.reshape(
                    p.take(rows, p.constant(places), 1), (n, len(places), 1, length)
                )
                # An n-gram occurs where all of its items do: the smallest of 0 and 1 over them is
                # 1.
                same = p.min(p.cast(p.equal(windows, p.constant(wanted)), _FLOAT), (3,))
                total = p.add(total, p.sum(same, (1,)))
        parts.append(total)
    return p.concatenate(parts, 1)
