"""Words of a training text replaced by others that a user says mean the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SIGNS = "\"'`.,;:!?()[]{}<>…«»“”‘’„¿¡-–—*_~/\\|"
"""What may stand around a word and is no part of it."""


@dataclass(frozen=True)
class Synonyms:
    """What may stand for a word, or for several words in a row.

    `others` are by words in small letters, with a space between several; `longest` is how many
    words the longest of these has.
    """

    others: Mapping[str, tuple[str, ...]]
    longest: int

    @classmethod
    def of(cls, groups: Sequence[Sequence[str]]) -> Synonyms:
        """Of groups of words that mean the same; a word may be in several."""
        others: dict[str, dict[str, None]] = defaultdict(dict)
        for group in groups:
            for word in group:
                key = word.casefold()
                others[key] |= {each: None for each in group if each.casefold() != key}
        longest = max((len(word.split()) for word in others), default=0)
        return cls({word: tuple(each) for word, each in others.items()}, longest)

    def replaced(self, words: Sequence[str], rate: float, rng: np.random.Generator) -> list[str]:
        """The words, of which the fraction `rate` of those that have synonyms gave way to one."""
        drawn, new, place = rng.random((2, len(words))), list[str](), 0
        while place < len(words):
            count, others = self._here(words, place)
            if others and drawn[0, place] < rate:
                chosen = others[int(drawn[1, place] * len(others))]
                new.append(_in_place_of(words[place : place + count], chosen))
            else:
                new.extend(words[place : place + count])
            place += count
        return new

    def _here(self, words: Sequence[str], place: int) -> tuple[int, tuple[str, ...]]:
        """How many words from a place on have synonyms together, and these; 1 if none has."""
        for count in range(min(self.longest, len(words) - place), 0, -1):
            # Signs between words part them; those around them all are left as they are.
            text = " ".join(words[place : place + count]).strip(SIGNS).casefold()
            if text in self.others:
                return count, self.others[text]
        return 1, ()


def _in_place_of(words: Sequence[str], chosen: str) -> str:
    """The synonym between the signs around the words, in large letters as they are."""
    text = " ".join(words)
    core = text.strip(SIGNS)
    before = text[: len(text) - len(text.lstrip(SIGNS))]
    behind = text[len(before) + len(core) :]
    if core.isupper() and len(core) > 1:
        chosen = chosen.upper()
    elif core[:1].isupper():
        chosen = chosen[:1].upper() + chosen[1:]
    return f"{before}{chosen}{behind}"
