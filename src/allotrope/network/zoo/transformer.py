"""An encoder of attention layers over the words of a text, with BERT's weight names.

Devlin et al. 2019 (https://arxiv.org/abs/1810.04805): normalized after each residual, GELU.
Letters: n texts, w words, d the dimension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.initialize import Initializer, draw, normal_of, ones, zeros
from allotrope.network.network import Network
from allotrope.network.zoo.named_activations import activated, activation_named
from allotrope.network.zoo.ngram import Terms
from allotrope.network.zoo.word_front import FLOAT, Words, beside_terms

EPSILON = 1e-12
"""BERT's, in layer normalization."""
HIDDEN = -1e4
"""What is added to the score of a place behind the text: exp gives 0 for it in every precision."""


@dataclass(frozen=True)
class EncoderSize:
    """How large an encoder is; `heads` divide the `dimension`, `positions` are words at the most.

    `drawn` is the deviation of weights at the start: 0.02 in BERT, whose 768 units add up more.
    `activation` is that of the `intermediate` units.
    """

    dimension: int = 128
    layers: int = 2
    heads: int = 4
    intermediate: int = 256
    positions: int = 512
    drawn: float = 0.05
    activation: str = "gelu"


def transformer(
    classes: int,
    vocabulary: np.ndarray,
    *,
    terms: Terms | None = None,
    size: EncoderSize | None = None,
    dropout: float = 0.1,
    word_dropout: float = 0.3,
    activation: str | None = None,
    seed: int = 0,
) -> Network:
    """words: int32 [n, w] to logits: [n, classes]; with `terms` a linear model of grams beside.

    Only the first `size.positions` words are looked at. `vocabulary`: see `Words`. The answer is
    made of the mean over all words, as there is no word that stands for the whole text.
    """
    size = size or EncoderSize()
    if activation is not None:
        size = replace(size, activation=activation)
    builder = Builder("transformer")
    words = Words(builder, vocabulary, size.positions)
    encoder = _Encoder(builder, words, size, dropout, seed)
    x = encoder.embedded(word_dropout)
    for number in range(size.layers):
        x = encoder.layer(x, f"encoder.layer.{number}")
    features = words.dropped(encoder.mean(x), 0.5, "features")
    return beside_terms(builder, features, size.dimension, terms, classes, seed)


class _Encoder:
    """Layers of attention in a network that is being built."""

    def __init__(
        self, builder: Builder, words: Words, size: EncoderSize, dropout: float, seed: int
    ) -> None:
        self.builder, self.words, self.size = builder, words, size
        self.dropout, self.seed = dropout, seed
        self.there = words.there((2,))
        one = builder.constant(np.float32(1), "present")
        hidden = builder.constant(np.float32(-HIDDEN), "hidden")
        scores = builder.add("Mul", [builder.add("Sub", [self.there, one]), hidden], name="scores")
        shape = builder.constant(np.array([0, 1, 1, -1], np.int64), "mask.shape")
        self.mask = builder.add("Reshape", [scores, shape], name="mask")
        """0 for words, else what hides them: [n, 1, 1, w]."""

    def embedded(self, word_dropout: float) -> str:
        """Words and their places, [n, w, d]."""
        size, name = self.size, "embeddings"
        drawn = normal_of(size.drawn)
        rows = self.words.embedded(
            f"{name}.word_embeddings.weight", drawn, size.dimension, self.seed
        )
        dropped = self.words.dropped(rows, word_dropout, f"{name}.dropped")
        places = self._weight(
            f"{name}.position_embeddings.weight", (size.positions, size.dimension), drawn
        )
        ends = [self._ints("start", [0]), self._word_count(), self._ints("axis", [0])]
        first = self.builder.add("Slice", [places, *ends], name=f"{name}.positions")
        added = self.builder.add("Add", [dropped, first], name=f"{name}.sum")
        return self._normalized(added, name)

    def _word_count(self) -> str:
        return self.builder.add("Shape", [self.words.numbers], {"start": 1, "end": 2}, name="w")

    def layer(self, x: str, name: str) -> str:
        """x [n, w, d] after attention and two dense layers, each beside what it takes."""
        d, inner = self.size.dimension, self.size.intermediate
        attended = self._attention(x, f"{name}.attention.self")
        mixed = self._dense(attended, f"{name}.attention.output.dense", d, d)
        x = self._beside(x, mixed, f"{name}.attention.output")
        bend = activation_named(self.size.activation)
        made = inner
        if bend.gated:
            made = 2 * inner
        wide = self._dense(x, f"{name}.intermediate.dense", d, made)
        bent = activated(self.builder, wide, bend, made, self._weight, axis=2)
        narrow = self._dense(bent, f"{name}.output.dense", inner, d)
        return self._beside(x, narrow, f"{name}.output")

    def mean(self, x: str) -> str:
        """The mean over the words of x [n, w, d]: [n, d], zeros for a text without words."""
        masked = self.builder.add("Mul", [x, self.there], name="masked")
        axis = self._ints("over_words", [1])
        total = self.builder.add("ReduceSum", [masked, axis], {"keepdims": 0}, name="total")
        count = self.builder.add("Cast", [self.words.lengths()], {"to": FLOAT}, name="count")
        column = self.builder.add("Unsqueeze", [count, self._ints("column", [1])], name="counts")
        return self.builder.add("Div", [total, column], name="mean")

    def _attention(self, x: str, name: str) -> str:
        d, heads = self.size.dimension, self.size.heads
        each = d // heads
        split = self._ints(f"{name}.heads", [0, 0, heads, each])
        # Keys come turned, ready for the product with queries.
        orders = {"query": (0, 2, 1, 3), "key": (0, 2, 3, 1), "value": (0, 2, 1, 3)}
        query, key, value = (
            self._in_heads(self._dense(x, f"{name}.{part}", d, d), split, order)
            for part, order in orders.items()
        )
        root = self.builder.constant(np.float32(1 / math.sqrt(each)), f"{name}.root")
        scaled = self.builder.add("Mul", [query, root], name=f"{name}.scaled")
        scores = self.builder.add("MatMul", [scaled, key], name=f"{name}.scores")
        seen = self.builder.add("Add", [scores, self.mask], name=f"{name}.seen")
        shares = self.builder.add("Softmax", [seen], {"axis": -1}, name=f"{name}.shares")
        taken = self.builder.add("MatMul", [shares, value], name=f"{name}.taken")
        turned = self.builder.add(
            "Transpose", [taken], {"perm": (0, 2, 1, 3)}, name=f"{name}.turned"
        )
        joined = self._ints(f"{name}.joined", [0, 0, d])
        return self.builder.add("Reshape", [turned, joined], name=f"{name}.context")

    def _in_heads(self, x: str, split: str, order: tuple[int, ...]) -> str:
        apart = self.builder.add("Reshape", [x, split], name=f"{x}.heads")
        return self.builder.add("Transpose", [apart], {"perm": order}, name=f"{x}.turned")

    def _dense(self, x: str, name: str, taken: int, size: int) -> str:
        """x [n, w, taken] by a dense layer; its weight [size, taken] is as BERT has it."""
        weight = self._weight(f"{name}.weight", (size, taken), normal_of(self.size.drawn))
        bias = self._weight(f"{name}.bias", (size,), zeros)
        turned = self.builder.add("Transpose", [weight], {"perm": (1, 0)}, name=f"{name}.turned")
        product = self.builder.add("MatMul", [x, turned], name=f"{name}.product")
        return self.builder.add("Add", [product, bias], name=name)

    def _beside(self, x: str, change: str, name: str) -> str:
        dropped = self.words.dropped(change, self.dropout, f"{name}.dropped")
        added = self.builder.add("Add", [dropped, x], name=f"{name}.sum")
        return self._normalized(added, name)

    def _normalized(self, x: str, name: str) -> str:
        own = f"{name}.LayerNorm"
        scale = self._weight(f"{own}.weight", (self.size.dimension,), ones)
        bias = self._weight(f"{own}.bias", (self.size.dimension,), zeros)
        attributes = {"axis": -1, "epsilon": EPSILON}
        return self.builder.add("LayerNormalization", [x, scale, bias], attributes, name=own)

    def _weight(self, name: str, shape: tuple[int, ...], drawn: Initializer) -> str:
        return self.builder.weight(name, draw(drawn, self.seed, name, shape).copy())

    def _ints(self, name: str, values: list[int]) -> str:
        return self.builder.constant(np.array(values, np.int64), name)
