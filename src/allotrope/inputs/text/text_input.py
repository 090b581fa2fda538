"""Texts as an input: raw bytes in; words and n-grams are found and hashed by nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from allotrope.errors import UsageError
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.contract import Input, Shown
from allotrope.inputs.text.filled_places import with_filled_places
from allotrope.inputs.text.hashing import Hashing
from allotrope.inputs.text.raw_bytes import (
    byte_counts,
    lengths_of,
    rounded_up,
    row_of,
    rows_of,
    text_of,
    usual_length,
)
from allotrope.inputs.text.room import USUAL, bytes_a_word
from allotrope.inputs.text.synonyms import Synonyms
from allotrope.inputs.text.word_changes import changed
from allotrope.network.build import Builder
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.chained import chained

WORDS, GRAMS = "words", "grams"
"""What a network takes of a text: buckets int32 [n, w] of its words, or [n, g] of all its terms."""
AT_ONCE = 1000
"""Texts are hashed so many at a time."""
SHOWN = 240
"""Characters of an excerpt."""


@dataclass(frozen=True, kw_only=True)
class Text(Input):
    """UTF-8 bytes uint8 [n, length] with zeros at the end; any length will do.

    `longest`: training texts were cut to so many bytes. `whole_files`: each was a file. There is
    room for a word in so many bytes as `bytes_a_word`. `synonyms` are for training alone, so that
    no file says them.
    """

    kind: ClassVar[str] = "text"

    longest: int
    whole_files: bool = False
    bytes_a_word: int = USUAL
    synonyms: Synonyms | None = None

    @classmethod
    def of(cls, name: str, texts: Sequence[str]) -> Text:
        """The input that takes texts such as these."""
        return cls.of_lengths(name, lengths_of(texts)).with_room_for(texts)

    @classmethod
    def of_lengths(cls, name: str, lengths: np.ndarray) -> Text:
        """The input that takes texts of so many bytes [n]."""
        return cls(name=name, longest=usual_length(lengths))

    def with_room_for(self, texts: Sequence[str]) -> Text:
        """With as many places for words as texts such as these need."""
        return replace(self, bytes_a_word=bytes_a_word(self.column(texts)))

    def column(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as examples of this input, uint8 [n, longest]."""
        return rows_of(texts, self.longest)

    def value(self) -> Value:
        """uint8 ["n", length], of which both are free."""
        return Value(self.name, np.dtype(np.uint8), ("n", f"{self.name}.length"))

    def augment(
        self,
        x: np.ndarray,
        rng: np.random.Generator,
        strength: Augmentation,
        mirrored: np.ndarray | None = None,
    ) -> np.ndarray:
        """Some words replaced by synonyms, left out, masked, swapped, misspelled, or new."""
        return changed(x, rng, strength, self.synonyms)

    def facts(self) -> dict[str, Any]:
        """All but the synonyms."""
        facts = super().facts()
        facts.pop("synonyms", None)
        return facts

    def lengths(self, x: np.ndarray) -> np.ndarray:
        """Bytes, rounded up to one of few numbers."""
        return rounded_up(byte_counts(x), x.shape[1])

    def cut(self, x: np.ndarray) -> np.ndarray:
        """The columns up to the end of the longest text, rounded up to one of few numbers."""
        return np.ascontiguousarray(x[:, : int(self.lengths(x).max(initial=0))])

    def described(self, x: np.ndarray) -> str:
        """How long the texts are, and how many are longer than what is looked at."""
        lengths = byte_counts(x)
        text = f"texts of {int(np.median(lengths)):,} bytes (median)"
        cut = int(np.count_nonzero(lengths == x.shape[1]))
        if not cut:
            return f"{text}, {int(lengths.max()):,} at the most"
        return (
            f"{text}; {cut:,} are longer than {self.longest:,} and are cut to these in training "
            "and tests; the delivered file reads texts whole"
        )

    def prepare(self, network: Network) -> Network:
        """Raw bytes in place of `words` or `grams`, or of both."""
        names = [value.name for value in network.inputs]
        strange = set(names) - {WORDS, GRAMS}
        if strange or not names:
            raise UsageError(
                f"input '{self.name}' needs a network that takes '{WORDS}' or '{GRAMS}', int32 "
                f"[n, w]; this network takes {', '.join(names) or 'nothing'}."
            )
        inner = {name: self._buckets(name) for name in names}
        return chained(self._hashed(inner), network.renamed(inner))

    def shortened(self, network: Network) -> Network:
        """With places for as many words as the longest text has."""
        return with_filled_places(network, self._buckets(WORDS))

    def _buckets(self, terms: str) -> str:
        """How the buckets of `words` or `grams` are called in a prepared network."""
        return f"{self.name}.{terms}.buckets"

    def _hashed(self, outputs: Mapping[str, str]) -> Network:
        """Raw bytes to buckets; `outputs` are the kinds of terms and what they are to be called."""
        builder = Builder(self.name)
        builder.input(self.name, np.uint8, ("n", f"{self.name}.length"))
        hashing = Hashing(builder, self.name, self.bytes_a_word)
        terms = {WORDS: hashing.words}
        if GRAMS in outputs:
            terms[GRAMS] = hashing.grams()
        for name, output in outputs.items():
            builder.output(terms[name], output)
        return builder.network()

    def buckets(self, x: np.ndarray, terms: str) -> Iterator[np.ndarray]:
        """The `words` int32 [m, w] or `grams` [m, g] of texts, as the nodes of `prepare` find them.

        Those of so many texts at a time: of all of them they take far more than the texts.
        """
        network = self._hashed({terms: terms})
        for start in range(0, len(x), AT_ONCE):
            yield network.run({self.name: x[start : start + AT_ONCE]})[terms]

    def read(self, argument: str) -> np.ndarray:
        """The bytes of the argument itself."""
        return row_of(argument)

    def show(self, x: np.ndarray) -> Shown:
        """An excerpt."""
        return Shown(text=shown_text(text_of(x)))


def shown_text(text: str) -> str:
    """The beginning of a text in one line."""
    line = " ".join(text.split())
    if len(line) > SHOWN:
        return f"{line[:SHOWN]}…"
    return line
