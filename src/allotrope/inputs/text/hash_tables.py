"""The constants by which the nodes of a text find its words and hash them.

Tabulation hashing: a random number for each byte at each place, added up (Zobrist 1970; how random
such sums are: Patrascu and Thorup 2012, https://arxiv.org/abs/1011.5200).
"""

from __future__ import annotations

import numpy as np

BUCKETS = 2**18
"""Buckets of terms; 0 is that of none."""
ORDERS = (3, 4, 5)
"""Bytes of the n-grams of characters."""
TRIPLES = 2**12
"""Kinds of three bytes in a row, of which the hash of a word is the sum."""
SPREAD = 2**19
"""The numbers are below it: a sum of some 30 stays below 2^24, which float32 holds exactly."""
SEED = 20_261_126


def starts_words() -> np.ndarray:
    """1 for each byte of which a word may consist or begin with, else 0: int32 [256].

    All but control signs and white space.
    """
    numbers = np.zeros(256, np.int32)
    numbers[0x21:] = 1
    numbers[0x7F] = 0
    return numbers


def goes_on() -> np.ndarray:
    """1 for each byte that may go on with a word, else 0: int32 [256].

    Letters, digits and what is not ASCII; any other sign of ASCII is a word by itself. So is each
    character from U+3000 on, whose first byte is E3 or above in UTF-8: Chinese and Japanese put no
    spaces between words, nor do emoji.
    """
    numbers = joins()
    numbers[0xE3:] = 0
    return numbers


def joins() -> np.ndarray:
    """1 for each byte behind which a word may go on, else 0: int32 [256]."""
    numbers = np.zeros(256, np.int32)
    for first, last in ("09", "AZ", "az"):
        numbers[ord(first) : ord(last) + 1] = 1
    numbers[0x80:] = 1
    return numbers


def place_numbers() -> np.ndarray:
    """A random number of each byte for each place in an n-gram, int32 [max(ORDERS), 256].

    Large letters have the numbers of small ones, and all white space that of a space.
    """
    return _folded(np.random.default_rng(SEED).integers(0, SPREAD, (max(ORDERS), 256)))


def triple_numbers() -> np.ndarray:
    """The same for the byte before, a byte itself and the byte behind it, int32 [3, 256]."""
    return _folded(np.random.default_rng(SEED + 1).integers(0, SPREAD, (3, 256)))


def triple_hashes() -> np.ndarray:
    """What a kind of three bytes adds to the hash of its word, int32 [TRIPLES]."""
    return np.random.default_rng(SEED + 2).integers(0, SPREAD, TRIPLES).astype(np.int32)


def _folded(numbers: np.ndarray) -> np.ndarray:
    small = np.arange(256)
    small[ord("A") : ord("Z") + 1] += ord("a") - ord("A")
    small[[ord(space) for space in "\t\n\v\f\r"]] = ord(" ")
    return numbers[:, small].astype(np.int32)
