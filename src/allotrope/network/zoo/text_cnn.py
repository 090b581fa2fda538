"""Convolutions over the words of a text (Kim 2014, https://arxiv.org/abs/1408.5882)."""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.initialize import draw, glorot_uniform, normal_of, zeros
from allotrope.network.network import Network
from allotrope.network.zoo.ngram import GRAMS, Bag, Terms, finished

WORDS = "words"
"""The input of these networks: buckets int32 [n, w] of the words of a text, then zeros."""
DRAWN = 0.25
"""Deviation of the embeddings at the start, as Kim draws those of unknown words."""


def text_cnn(
    classes: int,
    vocabulary: np.ndarray,
    *,
    terms: Terms | None = None,
    dimension: int = 100,
    filters: int = 100,
    widths: tuple[int, ...] = (2, 3, 4),
    dropout: float = 0.5,
    word_dropout: float = 0.3,
    seed: int = 0,
) -> Network:
    """words: int32 [n, w] to logits: [n, classes]; with `terms` a linear model of grams beside.

    `vocabulary` int32 [buckets] is the number of the word in each bucket, from 1; the number that
    is 1 higher than all stands for whatever else is not 0.
    """
    builder = Builder("text_cnn")
    words = builder.input(WORDS, np.int32, ("n", "w"))
    known = builder.constant(vocabulary, "vocabulary")
    numbers = builder.add("Gather", [known, words], name="numbers")
    x = _embedded(builder, numbers, int(vocabulary.max()) + 1, dimension, word_dropout, seed)
    there = _there(builder, numbers)
    parts = [
        _convolved(builder, x, there, (filters, dimension, width), number, seed)
        for number, width in enumerate(widths)
    ]
    size = filters * len(widths)
    together = builder.add("Concat", parts, {"axis": 1}, name="maxima")
    ratio = builder.constant(np.float32(dropout), "ratio")
    features = builder.add("Dropout", [together, ratio], name="dropout")
    if terms is not None:
        grams = builder.input(GRAMS, np.int32, ("n", "g"))
        answers = Bag(builder, grams, terms).linear()
        features = builder.add("Concat", [features, answers], {"axis": 1}, name="beside")
        size += len(terms.bias)
    return finished(builder, features, size, classes, seed)


def _embedded(
    builder: Builder, numbers: str, count: int, dimension: int, dropout: float, seed: int
) -> str:
    """Words [n, dimension, w], zeros for none."""
    table = draw(normal_of(DRAWN), seed, "embedding.weight", (count, dimension)).copy()
    weight = builder.weight("embedding.weight", table)
    rows = builder.add("Gather", [weight, numbers], name="embedding")
    ratio = builder.constant(np.float32(dropout), "embedding.ratio")
    dropped = builder.add("Dropout", [rows, ratio], name="embedding.dropout")
    turned = builder.add("Transpose", [dropped], {"perm": (0, 2, 1)}, name="embedding.turned")
    return builder.add("Mul", [turned, _there(builder, numbers)], name="embedding.there")


def _there(builder: Builder, numbers: str) -> str:
    """1 for a word, 0 for none: float32 [n, 1, w]."""
    one = builder.constant(np.int32(1), "one")
    flags = builder.add("Min", [numbers, one], name="flags")
    whole = builder.add("Cast", [flags], {"to": 1}, name="flags.float")
    axis = builder.constant(np.array([1], np.int64), "channel")
    return builder.add("Unsqueeze", [whole, axis], name="there")


def _convolved(
    builder: Builder, x: str, there: str, shape: tuple[int, int, int], number: int, seed: int
) -> str:
    """The largest answer of each filter to any place of the text, [n, filters].

    Places behind the text do not count: however long the row of bytes, the answer is the same.
    """
    name, (filters, _, width) = f"convs.{number}", shape
    weight = builder.weight(f"{name}.weight", draw(glorot_uniform, seed, f"{name}.weight", shape))
    bias = builder.weight(f"{name}.bias", draw(zeros, seed, f"{name}.bias", (filters,)))
    before = (width - 1) // 2
    pads = {"pads": (before, width - 1 - before), "kernel_shape": (width,)}
    y = builder.add("Conv", [x, weight, bias], pads, name=name)
    positive = builder.add("Relu", [y], name=f"{name}.relu")
    masked = builder.add("Mul", [positive, there], name=f"{name}.masked")
    axis = builder.constant(np.array([2], np.int64), f"{name}.axis")
    return builder.add("ReduceMax", [masked, axis], {"keepdims": 0}, name=f"{name}.maximum")
