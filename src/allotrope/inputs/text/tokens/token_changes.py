"""Training texts of tokens changed as texts of words are: some left out, masked, swapped."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.text.tokens.token_ids import NO_TOKEN
from allotrope.inputs.text.word_changes import changes_words, rearranged, with_inserted


def changed_tokens(
    x: np.ndarray,
    special: Collection[int],
    mask: int | None,
    rng: np.random.Generator,
    strength: Augmentation,
) -> np.ndarray:
    """Ids int32 [n, length] of which some have changed, but for `special` ones at the ends.

    Tokens cannot be misspelled.
    """
    if not changes_words(strength):
        return x
    new = np.full_like(x, NO_TOKEN)
    vocabulary = np.setdiff1d(x[x >= 0], list(special)).tolist() if strength.inserted else []
    for row, result in zip(x, new, strict=True):
        ids = row[row >= 0].tolist()
        first, last = _inside(ids, special)
        inner = rearranged(ids[first:last], mask, rng, strength)
        inner = with_inserted(inner, vocabulary, rng, strength.inserted)
        # There is room for as many tokens as the longest text has.
        whole = [*ids[:first], *inner[: x.shape[1] - first - len(ids) + last], *ids[last:]]
        result[: len(whole)] = whole
    return new


def _inside(ids: list[int], special: Collection[int]) -> tuple[int, int]:
    """Where what is between the special ids at both ends begins and ends."""
    first, last = 0, len(ids)
    while first < last and ids[first] in special:
        first += 1
    while last > first and ids[last - 1] in special:
        last -= 1
    return first, last
