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


KINDS_OF_ERROR = 4
"""A letter left out, twice, in the place of the next, or another one."""


def changed(
    x: np.ndarray,
    rng: np.random.Generator,
    strength: Augmentation,
    synonyms: Synonyms | None = None,
) -> np.ndarray:
    """Texts uint8 [n, length] with some of their words replaced, left out, masked, swapped.

    Or misspelled, and with words of the others among them.
    """
    if not strength.synonym_rate:
        synonyms = None
    if synonyms is None and not changes_words(strength):
        return x
    vocabulary = [word for row in x for word in _words(row)] if strength.inserted else []
    return np.stack([_changed(row, rng, strength, synonyms, vocabulary) for row in x])


def changes_words(strength: Augmentation) -> bool:
    """Whether any word may change."""
    rearranging = strength.left_out or strength.masked or strength.swapped
    return bool(rearranging or strength.inserted or strength.misspelled)


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


def with_inserted(
    words: Sequence[Word], vocabulary: Sequence[Word], rng: np.random.Generator, rate: float
) -> list[Word]:
    """The words, and behind the fraction `rate` of them one of the vocabulary.

    Random insertion of EDA, of words that stand in training texts in the place of synonyms.
    """
    if not rate or not vocabulary:
        return list(words)
    drawn, chosen = rng.random(len(words)), rng.integers(0, len(vocabulary), len(words))
    result = list[Word]()
    for word, number, place in zip(words, drawn, chosen, strict=True):
        result += [word, vocabulary[place]] if number < rate else [word]
    return result


def misspelled(word: str, rng: np.random.Generator) -> str:
    """The word with one typing error within; one of fewer than two letters as it is."""
    kind, place = rng.integers(0, KINDS_OF_ERROR), int(rng.integers(0, max(1, len(word) - 1)))
    letter = chr(int(rng.integers(ord("a"), ord("z") + 1)))
    if len(word) < 2:
        return word
    here, after = word[place], word[place + 1]
    errors = (after, here + here + after, after + here, letter + after)
    return word[:place] + errors[kind] + word[place + 2 :]


def _words(row: np.ndarray) -> list[bytes]:
    return row.tobytes().rstrip(b"\0").split()


def _with_errors(words: list[bytes], rng: np.random.Generator, rate: float) -> list[bytes]:
    if not rate:
        return words
    drawn = rng.random(len(words))
    return [
        misspelled(word.decode("utf-8", "replace"), rng).encode() if number < rate else word
        for word, number in zip(words, drawn, strict=True)
    ]


def _changed(
    row: np.ndarray,
    rng: np.random.Generator,
    strength: Augmentation,
    synonyms: Synonyms | None,
    vocabulary: Sequence[bytes],
) -> np.ndarray:
    words = _words(row)
    if synonyms is not None:
        texts = [word.decode("utf-8", "replace") for word in words]
        words = [text.encode() for text in synonyms.replaced(texts, strength.synonym_rate, rng)]
    if changes_words(strength):
        words = rearranged(words, MASK, rng, strength)
        words = with_inserted(words, vocabulary, rng, strength.inserted)
        words = _with_errors(words, rng, strength.misspelled)
    new = b" ".join(words)
    # The row is as long as the longest training text: what does not fit is cut off.
    result = np.zeros_like(row)
    result[: len(new)] = np.frombuffer(new[: len(row)], np.uint8)
    return result
