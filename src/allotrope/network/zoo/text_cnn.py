"""Convolutions over the words of a text (Kim 2014, https://arxiv.org/abs/1408.5882)."""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.initialize import draw, glorot_uniform, normal_of, zeros
from allotrope.network.network import Network
from allotrope.network.zoo.ngram import Terms
from allotrope.network.zoo.word_front import Words, beside_terms

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

    `vocabulary`: see `Words`.
    """
    builder = Builder("text_cnn")
    words = Words(builder, vocabulary)
    rows = words.embedded("embedding.weight", normal_of(DRAWN), dimension, seed)
    dropped = words.dropped(rows, word_dropout, "embedding.dropout")
    turned = builder.add("Transpose", [dropped], {"perm": (0, 2, 1)}, name="embedding.turned")
    there = words.there((1,))
    x = builder.add("Mul", [turned, there], name="embedding.there")
    parts = [
        _convolved(builder, x, there, (filters, dimension, width), number, seed)
        for number, width in enumerate(widths)
    ]
    together = builder.add("Concat", parts, {"axis": 1}, name="maxima")
    features = words.dropped(together, dropout, "dropout")
    return beside_terms(builder, features, filters * len(widths), terms, classes, seed)


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
