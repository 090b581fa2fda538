"""What networks for the words of a text begin and end with."""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.initialize import Initializer, draw
from allotrope.network.network import Network
from allotrope.network.zoo.ngram import GRAMS, Bag, Terms, finished

WORDS = "words"
"""The input of these networks: buckets int32 [n, w] of the words of a text, then zeros."""
FLOAT, INT64 = 1, 7
"""ONNX's numbers of the types."""


class Words:
    """The words of texts in a network that is being built.

    `vocabulary` int32 [buckets] is the number of the word in each bucket, from 1; the number that
    is 1 higher than all stands for whatever else is not 0. `most`: later words are not looked at.
    """

    def __init__(self, builder: Builder, vocabulary: np.ndarray, most: int | None = None) -> None:
        self.builder = builder
        words = builder.input(WORDS, np.int32, ("n", "w"))
        if most is not None:
            words = builder.add("Slice", [words, *self._ends(most)], name="words.first")
        known = builder.constant(vocabulary, "vocabulary")
        self.count = int(vocabulary.max()) + 1
        """Different words, one that stands for all others and one that stands for none."""
        self.numbers = builder.add("Gather", [known, words], name="numbers")
        one = builder.constant(np.int32(1), "one")
        self.flags = builder.add("Min", [self.numbers, one], name="flags")
        """1 for a word, 0 for none: int32 [n, w]."""

    def _ends(self, most: int) -> list[str]:
        return [
            self.builder.constant(np.array([value], np.int64), f"words.{name}")
            for name, value in (("start", 0), ("stop", most), ("axis", 1))
        ]

    def by_time(self, whole: str) -> str:
        """Whole numbers [n, w] as [w, n]."""
        return self.builder.add("Transpose", [whole], {"perm": (1, 0)}, name=f"{whole}.by_time")

    def embedded(
        self, name: str, drawn: Initializer, dimension: int, seed: int, numbers: str = ""
    ) -> str:
        """A learned vector for each word: [n, w, dimension], or in the order of `numbers`."""
        table = draw(drawn, seed, name, (self.count, dimension)).copy()
        weight = self.builder.weight(name, table)
        return self.builder.add("Gather", [weight, numbers or self.numbers], name="embedding")

    def there(self, axes: tuple[int, ...], flags: str = "") -> str:
        """1 for a word, 0 for none: float32 [n, w] with more axes of length 1.

        Or in the order of `flags`.
        """
        taken = flags or self.flags
        whole = self.builder.add("Cast", [taken], {"to": FLOAT}, name="flags.float")
        places = self.builder.constant(np.array(axes, np.int64), "there.axes")
        return self.builder.add("Unsqueeze", [whole, places], name="there")

    def lengths(self) -> str:
        """How many words each text has, at least 1: int32 [n]."""
        axis = self.builder.constant(np.array([1], np.int64), "lengths.axis")
        total = self.builder.add("ReduceSum", [self.flags, axis], {"keepdims": 0}, name="counted")
        one = self.builder.constant(np.int32(1), "lengths.one")
        return self.builder.add("Max", [total, one], name="lengths")

    def dropped(self, x: str, ratio: float, name: str) -> str:
        """Some of x left out in training."""
        share = self.builder.constant(np.float32(ratio), f"{name}.ratio")
        return self.builder.add("Dropout", [x, share], name=name)


def beside_terms(
    builder: Builder, features: str, size: int, terms: Terms | None, classes: int, seed: int
) -> Network:
    """The network with a last layer behind features [n, size] and, with `terms`, a linear model."""
    if terms is not None:
        grams = builder.input(GRAMS, np.int32, ("n", "g"))
        answers = Bag(builder, grams, terms).linear()
        features = builder.add("Concat", [features, answers], {"axis": 1}, name="beside")
        size += len(terms.bias)
    return finished(builder, features, size, classes, seed)
