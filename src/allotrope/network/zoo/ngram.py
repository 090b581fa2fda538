"""Bags of n-grams: a linear model of all terms of a text, and an embedding of them beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.build import Builder
from allotrope.network.initialize import draw, normal_of, zeros
from allotrope.network.network import Network

GRAMS = "grams"
"""The input of these networks: buckets int32 [n, g] of the terms of a text, 0 for none."""
MUTED = 1 - 2**-20
"""The part of the training examples for which the linear path is silent: all, but for chance.

Where it is heard, it is sure of itself, and steps would only teach the last layer not to listen."""
DRAWN = 0.1
"""Deviation of embeddings at the start."""
DROPPED = 0.5


@dataclass(frozen=True)
class Terms:
    """The terms that a network knows, and a linear model of them.

    `rows` int32 [buckets] is the number of the term in each bucket, 0 if it is not known.
    `squares` float32 [terms] is how much a term says, squared: 0 for number 0.
    `scores` float32 [terms, k] are what each adds to the k answers, times its own importance;
    `bias` float32 [k]. Row 0 is all zeros.

    Raises: UsageError if they do not fit together.
    """

    rows: np.ndarray
    squares: np.ndarray
    scores: np.ndarray
    bias: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.squares)
        fitting = len(self.scores) == count and int(self.rows.max()) < count
        if not fitting or self.squares[0] or self.scores[0].any():
            raise UsageError(
                f"terms do not fit together: numbers up to {int(self.rows.max())}, {count} squares "
                f"and {len(self.scores)} scores, of which the first has to be 0."
            )


def ngram(classes: int, terms: Terms, *, dimension: int = 16, seed: int = 0) -> Network:
    """grams: int32 [n, g] to logits: [n, classes].

    Joulin et al. 2016 (fastText, https://arxiv.org/abs/1607.01759), with a linear model beside it.
    """
    builder = Builder("ngram")
    grams = builder.input(GRAMS, np.int32, ("n", "g"))
    bag = Bag(builder, grams, terms)
    features = builder.add("Concat", [bag.embedded(dimension, seed), bag.linear()], {"axis": 1})
    return finished(builder, features, dimension + len(terms.bias), classes, seed)


class Bag:
    """The terms of each text in a network that is being built."""

    def __init__(self, builder: Builder, grams: str, terms: Terms) -> None:
        self.builder, self.terms = builder, terms
        known = builder.constant(terms.rows, "known")
        self.rows = builder.add("Gather", [known, grams], name="terms")
        axis = builder.constant(np.array([1], np.int64), "of_terms")
        squares = builder.constant(terms.squares, "squares")
        each = builder.add("Gather", [squares, self.rows], name="squares_of_terms")
        total = builder.add("ReduceSum", [each, axis], {"keepdims": 1}, name="squares_together")
        # A text without a known term has 0: what is divided by it is 0 too.
        least = builder.constant(np.float32(1e-6), "least")
        bounded = builder.add("Max", [total, least], name="squares_bounded")
        self.length = builder.add("Sqrt", [bounded], name="length")
        self.axis = axis

    def linear(self) -> str:
        """What the linear model answers, [n, k]; silent in training.

        It knows the training examples by heart. What is beside it would find nothing left to
        learn, if it did not have to do without.
        """
        builder = self.builder
        scores = builder.weight("linear.weight", self.terms.scores, trainable=False)
        bias = builder.weight("linear.bias", self.terms.bias, trainable=False)
        answers = builder.add("Add", [self._mean(scores, "linear"), bias], name="linear.answers")
        ones = builder.add("Div", [self.length, self.length], name="linear.ones")
        ratio = builder.constant(np.float32(MUTED), "linear.muted")
        drawn = builder.add("Dropout", [ones, ratio], name="linear.drawn")
        one = builder.constant(np.float32(1), "linear.one")
        heard = builder.add("Min", [drawn, one], name="linear.heard")
        return builder.add("Mul", [answers, heard], name="linear")

    def embedded(self, dimension: int, seed: int) -> str:
        """The weighted mean of learned embeddings of the terms, [n, dimension]."""
        builder = self.builder
        shape = (len(self.terms.squares), dimension)
        drawn = draw(normal_of(DRAWN), seed, "embedding.weight", shape)
        weight = builder.weight("embedding.weight", drawn)
        mean = self._mean(weight, "embedding")
        ratio = builder.constant(np.float32(DROPPED), "embedding.ratio")
        return builder.add("Dropout", [mean, ratio], name="embedding")

    def _mean(self, table: str, name: str) -> str:
        """Rows of a table added up and divided by the length of the vector of terms."""
        rows = self.builder.add("Gather", [table, self.rows], name=f"{name}.rows")
        total = self.builder.add(
            "ReduceSum", [rows, self.axis], {"keepdims": 0}, name=f"{name}.sum"
        )
        return self.builder.add("Div", [total, self.length], name=f"{name}.mean")


def finished(builder: Builder, features: str, size: int, classes: int, seed: int) -> Network:
    """The network with a last layer behind features [n, size]."""
    weight = draw(normal_of(DRAWN), seed, "fc.weight", (classes, size))
    inputs = [
        features,
        builder.weight("fc.weight", weight),
        builder.weight("fc.bias", draw(zeros, seed, "fc.bias", (classes,))),
    ]
    builder.output(builder.add("Gemm", inputs, {"transB": 1}, name="fc"))
    return builder.network()
