"""Training texts changed so that they keep their meaning: words left out, masked, swapped.

Wei and Zou 2019 (EDA, https://arxiv.org/abs/1901.11196) change about a tenth of the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from allotrope.inputs.augmentation import Augmentation

MASK = b"_"
Word = TypeVar("Word")


def changed(x: np.ndarray, rng: np.random.Generator, strength: Augmentation) -> np.ndarray:
    """Texts uint8 [n, length] with some of their words left out, masked or swapped."""
    if not changes_words(strength):
        return x
    return np.stack([_changed(row, rng, strength) for row in x])


def changes_words(strength: Augmentation) -> bool:
    """Whether any word may change."""
    return bool(strength.left_out or strength.masked or strength.swapped)


def rearranged(
    words: Sequence[Word], mask: Word | None, rng: np.random.Generator, strength: Augmentation
) -> list[Word]:
    """The words without those that are left out, others masked or in the place of the next.

    One word at least is left of them. Without a `mask` none is masked.
    """
    words = list(words)
    drawn = rng.random((3, len(words)))
    for place in np.flatnonzero(drawn[0, :-1] < strength.swapped):
        words[place], words[place + 1] = words[place + 1], words[place]
    if mask is not None:
        for place in np.flatnonzero(drawn[1] < strength.masked):
            words[place] = mask
    left = drawn[2] >= strength.left_out
    if not left.any():
        left[:1] = True
    return [word for word, keep in zip(words, left, strict=True) if keep]


def _changed(row: np.ndarray, rng: np.random.Generator, strength: Augmentation) -> np.ndarray:
    words = row.tobytes().rstrip(b"\0").split()
    new = b" ".join(rearranged(words, MASK, rng, strength))
    # A text of words that stand far apart may only become shorter.
    result = np.zeros_like(row)
    result[: len(new)] = np.frombuffer(new[: len(row)], np.uint8)
    return result
