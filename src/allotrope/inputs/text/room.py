"""For how many words there are places behind a text, which its number of bytes decides."""

from __future__ import annotations

import numpy as np

from allotrope.inputs.text import hash_tables

BEHIND = 24
"""Zeros behind the bytes, so that short texts have room for some words more."""
USUAL = 3
"""There is room for a word in so many bytes, unless training texts say otherwise."""
MOST = 6
FITTING = 0.99
"""The part of the training texts for all words of which there has to be room."""
AT_ONCE = 1000


def bytes_a_word(x: np.ndarray) -> int:
    """A word of texts uint8 [n, length] has so many bytes: as many as leave room for nearly all.

    What works on places takes as long as there are places, filled or not: fewer are faster. Of
    texts whose words are single signs, each byte has a place of its own.
    """
    places, words = _bytes_and_words(x)
    for length in range(MOST, 1, -1):
        if np.mean(words < -(-places // length)) >= FITTING:
            return length
    return 1


def _bytes_and_words(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of each text with those before and behind it, and its words: int64 [n] each."""
    starts, goes_on, joins = (
        table.astype(bool)
        for table in (hash_tables.starts_words(), hash_tables.goes_on(), hash_tables.joins())
    )
    places, words = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
    for first in range(0, len(x), AT_ONCE):
        part = x[first : first + AT_ONCE]
        going = goes_on[part[:, 1:]] & joins[part[:, :-1]]
        own = slice(first, first + len(part))
        words[own] = starts[part].sum(axis=1) - going.sum(axis=1)
        places[own] = 1 + (part != 0).sum(axis=1) + BEHIND
    return places, words
