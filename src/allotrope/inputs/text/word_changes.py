"""Training texts changed so that they keep their meaning: words left out, masked, swapped.

Wei and Zou 2019 (EDA, https://arxiv.org/abs/1901.11196) change about a tenth of the words.
"""

from __future__ import annotations

import numpy as np

from allotrope.inputs.augmentation import Augmentation

SPACE = ord(" ")
MASK = ord("_")


def changed(x: np.ndarray, rng: np.random.Generator, strength: Augmentation) -> np.ndarray:
    """Texts uint8 [n, length] with some of their words left out, masked or swapped."""
    if not (strength.left_out or strength.masked or strength.swapped):
        return x
    return np.stack([_changed(row, rng, strength) for row in x])


def _changed(row: np.ndarray, rng: np.random.Generator, strength: Augmentation) -> np.ndarray:
    words = row.tobytes().rstrip(b"\0").split()
    drawn = rng.random((3, len(words)))
    for place in np.flatnonzero(drawn[0, :-1] < strength.swapped):
        words[place], words[place + 1] = words[place + 1], words[place]
    masked = drawn[1] < strength.masked
    left = drawn[2] >= strength.left_out
    if not left.any():
        left[:1] = True  # a text keeps a word at least
    new = b" ".join(
        bytes([MASK]) if hide else word
        for word, hide, keep in zip(words, masked, left, strict=True)
        if keep
    )
    # A text of words that stand far apart may only become shorter.
    result = np.zeros_like(row)
    result[: len(new)] = np.frombuffer(new[: len(row)], np.uint8)
    return result
