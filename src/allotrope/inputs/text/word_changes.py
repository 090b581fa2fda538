"""Training texts that keep their meaning: words replaced, left out, masked, swapped.

Wei and Zou 2019 (EDA, https://arxiv.org/abs/1901.11196) change about a tenth of the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.text.synonyms import Synonyms

MASK = b"_"
Word = TypeVar("Word")


def changed(
    x: np.ndarray,
    rng: np.random.Generator,
    strength: Augmentation,
    synonyms: Synonyms | None = None,
) -> np.ndarray:
    """Texts uint8 [n, length] with some of their words replaced, left out, masked or swapped."""
    if not strength.synonym_rate:
        synonyms = None
    if synonyms is None and not changes_words(strength):
        return x
    return np.stack([_changed(row, rng, strength, synonyms) for row in x])


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


def _changed(
    row: np.ndarray, rng: np.random.Generator, strength: Augmentation, synonyms: Synonyms | None
) -> np.ndarray:
    words = row.tobytes().rstrip(b"\0").split()
    if synonyms is not None:
        texts = [word.decode("utf-8", "replace") for word in words]
        words = [text.encode() for text in synonyms.replaced(texts, strength.synonym_rate, rng)]
    if changes_words(strength):
        words = rearranged(words, MASK, rng, strength)
    new = b" ".join(words)
    # The row is as long as the longest training text: what does not fit is cut off.
    result = np.zeros_like(row)
    result[: len(new)] = np.frombuffer(new[: len(row)], np.uint8)
    return result
