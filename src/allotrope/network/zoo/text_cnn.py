"""Convolutions over the words of a text (Kim 2014, https://arxiv.org/abs/1408.5882)."""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.initialize import (
    Initializer,
    Shape,
    draw,
    glorot_uniform,
    normal_of,
    zeros,
)
from allotrope.network.network import Network
from allotrope.network.zoo.named_activations import NamedActivation, activated, activation_named
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
    activation: str = "relu",
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
    bend = activation_named(activation)
    parts = [
        _convolved(builder, x, there, (filters, dimension, width), bend, f"convs.{number}", seed)
        for number, width in enumerate(widths)
    ]
    together = builder.add("Concat", parts, {"axis": 1}, name="maxima")
    features = words.dropped(together, dropout, "dropout")
    return beside_terms(builder, features, filters * len(widths), terms, classes, seed)


def _convolved(
    builder: Builder,
    x: str,
    there: str,
    shape: tuple[int, int, int],
    bend: NamedActivation,
    name: str,
    seed: int,
) -> str:
    """The largest answer of each filter to any place of the text, [n, filters].

    Places behind the text do not count: however long the row of bytes, the answer is the same.
    """
    filters, _, width = shape
    made = filters
    if bend.gated:
        made = 2 * filters

    def weight(own: str, shape: Shape, initializer: Initializer) -> str:
        return builder.weight(own, draw(initializer, seed, own, shape))

    kernel = weight(f"{name}.weight", (made, *shape[1:]), glorot_uniform)
    bias = weight(f"{name}.bias", (made,), zeros)
    before = (width - 1) // 2
    pads = {"pads": (before, width - 1 - before), "kernel_shape": (width,)}
    y = builder.add("Conv", [x, kernel, bias], pads, name=name)
    bent = activated(builder, y, bend, made, weight, behind=1)
    masked = builder.add("Mul", [bent, there], name=f"{name}.masked")
    axis = builder.constant(np.array([2], np.int64), f"{name}.axis")
    return builder.add("ReduceMax", [masked, axis], {"keepdims": 0}, name=f"{name}.maximum")
