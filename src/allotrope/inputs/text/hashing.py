"""From bytes to the buckets of words and n-grams, as nodes over whole numbers.

All frameworks and runtimes give equal buckets. Nothing is divided or multiplied by large numbers,
which some of them do in float32: sums are cut to their last bits by a mask. Only the sum of a word
of thousands of bytes may leave int32, and wraps around in all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allotrope.inputs.text import hash_tables
from allotrope.inputs.text.hash_tables import BUCKETS, ORDERS, TRIPLES
from allotrope.inputs.text.room import BEHIND
from allotrope.network.build import Builder

INT32 = 6
"""ONNX's number of the type."""

Stop = int | None


class Hashing:
    """The nodes behind a text, uint8 [n, length] with zeros at its end.

    There is room for a word in so many bytes; if words are shorter throughout, the last are one.
    """

    def __init__(self, builder: Builder, text: str, bytes_a_word: int) -> None:
        self.builder, self.bytes_a_word = builder, bytes_a_word
        self.text = text
        raw = self._node("Cast", [text], "whole", to=INT32)
        pads = self._array("pads", np.array([0, 1, 0, BEHIND], np.int64))
        self.padded = self._node("Pad", [raw, pads], "padded")
        self.words = self._words()
        """Buckets int32 [n, w] of the words in their order, 0 behind the last."""

    def grams(self) -> str:
        """Buckets int32 [n, g] of all words, pairs of words and n-grams of characters.

        0 if there is none.
        """
        parts = [self.words, self._pairs(), self._characters()]
        return self._node("Concat", parts, "grams", axis=1)

    def _words(self) -> str:
        """The hash of a word is the sum of those of its bytes, each with its neighbors in the word.

        So words of the same letters in another order have different hashes.
        """
        own, before, behind = (self._place(place) for place in (1, 0, 2))
        joined = self._joined()
        number = hash_tables.triple_numbers()
        left = self._node("Mul", [self._part(joined, 0, -1), self._looked(number[0], before)])
        right = self._node("Mul", [self._part(joined, 1, None), self._looked(number[2], behind)])
        triples = self._sum(left, self._looked(number[1], own), right)
        hashes = self._looked(hash_tables.triple_hashes(), self._cut(triples, TRIPLES))
        places, room = self._places(own, self._part(joined, 0, -1))
        sums = self.builder.add(
            "ScatterElements",
            [room, places, hashes],
            {"axis": 1, "reduction": "add"},
            name=f"{self.text}.sums",
        )
        # What belongs to no word is at place 0.
        return self._cut(self._part(sums, 1, None), BUCKETS, "words")

    def _joined(self) -> str:
        """1 for each byte, and for one behind them, that goes on with the word before it."""
        before, own = self._part(self.padded, 0, -BEHIND), self._part(self.padded, 1, 1 - BEHIND)
        going = self._looked(hash_tables.goes_on(), own)
        return self._node("Mul", [going, self._looked(hash_tables.joins(), before)], "joined")

    def _places(self, own: str, joined: str) -> tuple[str, str]:
        """The place of each byte's word, from 1, or 0 if it has none; and zeros for all places."""
        inside = self._looked(hash_tables.starts_words(), own)
        axis = self._array("axis", np.array(1, np.int64))
        starts = self._node("Sub", [inside, joined], "starts")
        numbers = self._node("CumSum", [starts, axis], "numbers")
        step = self._array("step", np.array([self.bytes_a_word], np.int64))
        room = self._part(self.padded, 0, None, step)
        zeros = self._node("Mul", [room, self._number(0)], "room")
        length = self._node("Shape", [zeros], "length", start=1, end=2)
        last = self._node("Sub", [self._node("Cast", [length], to=INT32), self._number(1)], "last")
        bounded = self._node("Min", [numbers, last], "bounded")
        return self._node("Mul", [bounded, inside], "places"), zeros

    def _pairs(self) -> str:
        """Buckets of words that follow each other."""
        first, second = self._part(self.words, 0, -1), self._part(self.words, 1, None)
        # The second counts three times: pairs in another order have other sums.
        shifted = self._node("Mul", [second, self._number(3)])
        pairs = self._cut(self._node("Add", [first, shifted]), BUCKETS)
        there = self._node("Min", [first, second, self._number(1)], "pair_is_there")
        return self._node("Mul", [pairs, there], "pairs")

    def _characters(self) -> str:
        """Buckets of n-grams of bytes."""
        places = [self._place(place) for place in range(1, max(ORDERS) + 1)]
        numbers = zip(hash_tables.place_numbers(), places, strict=True)
        looked = [self._looked(number, place) for number, place in numbers]
        sums = [looked[0]]
        for each in looked[1:]:
            sums.append(self._node("Add", [sums[-1], each]))
        whole = self._node("Concat", [sums[order - 1] for order in ORDERS], axis=1)
        # An n-gram is there if its last byte is.
        lasts = self._node("Concat", [places[order - 1] for order in ORDERS], axis=1)
        there = self._node("Min", [lasts, self._number(1)], "characters_are_there")
        return self._node("Mul", [self._cut(whole, BUCKETS), there], "characters")

    # --- single nodes

    def _place(self, place: int) -> str:
        """The bytes from a place of the padded ones on: 1 is their own, 0 those before them."""
        return self._part(self.padded, place, place - 1 - BEHIND)

    def _looked(self, table: np.ndarray, places: str) -> str:
        return self._node("Gather", [self._array("table", table), places], "looked")

    def _cut(self, sums: str, power: int, name: str = "cut") -> str:
        """The last bits of whole numbers: what is left of a division by a power of two."""
        return self._node("BitwiseAnd", [sums, self._number(power - 1)], name)

    def _sum(self, first: str, *others: str) -> str:
        for other in others:
            first = self._node("Add", [first, other])
        return first

    def _part(self, x: str, start: int, stop: Stop, step: str = "") -> str:
        """The part of axis 1 from `start` to `stop`."""
        ends = (start, np.iinfo(np.int64).max if stop is None else stop)
        places = [self._array("place", np.array([end], np.int64)) for end in ends]
        axis = self._array("along", np.array([1], np.int64))
        steps = [step] if step else []
        return self._node("Slice", [x, *places, axis, *steps], "part")

    def _number(self, value: int) -> str:
        return self._array("number", np.array(value, np.int32))

    def _array(self, name: str, array: np.ndarray) -> str:
        return self.builder.constant(array, f"{self.text}.{name}")

    def _node(self, operator: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        own = f"{self.text}.{name or operator.lower()}"
        return self.builder.add(operator, inputs, attributes, name=own)
