"""Recurrent layers over the words of a text, in both directions, and the maximum over time.

Conneau et al. 2017 (https://arxiv.org/abs/1705.02364).
"""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.initialize import draw, fan_in_uniform, normal_of
from allotrope.network.network import Network
from allotrope.network.zoo.ngram import Terms
from allotrope.network.zoo.word_front import Words, beside_terms

DRAWN = 0.25
"""Deviation of the embeddings at the start."""
GATES = {"LSTM": 4, "GRU": 3}
FORGET = 2
"""The gate that forgets, in ONNX's order of an LSTM's gates: i, o, f, c."""
BELOW_ALL = -2.0
"""What is added to states where there is no word: they are between -1 and 1."""


def lstm(
    classes: int,
    vocabulary: np.ndarray,
    *,
    terms: Terms | None = None,
    dimension: int = 100,
    hidden: int = 100,
    dropout: float = 0.5,
    word_dropout: float = 0.3,
    seed: int = 0,
) -> Network:
    """words: int32 [n, w] to logits: [n, classes]; with `terms` a linear model of grams beside.

    `hidden` units in each direction. `vocabulary`: see `Words`.
    """
    sizes = dimension, hidden
    return _recurrent("LSTM", classes, vocabulary, terms, sizes, (dropout, word_dropout), seed)


def gru(
    classes: int,
    vocabulary: np.ndarray,
    *,
    terms: Terms | None = None,
    dimension: int = 100,
    hidden: int = 100,
    dropout: float = 0.5,
    word_dropout: float = 0.3,
    seed: int = 0,
) -> Network:
    """As `lstm`, with gated recurrent units."""
    sizes = dimension, hidden
    return _recurrent("GRU", classes, vocabulary, terms, sizes, (dropout, word_dropout), seed)


def _recurrent(
    operator: str,
    classes: int,
    vocabulary: np.ndarray,
    terms: Terms | None,
    sizes: tuple[int, int],
    dropouts: tuple[float, float],
    seed: int,
) -> Network:
    (dimension, hidden), (dropout, word_dropout) = sizes, dropouts
    builder = Builder(operator.lower())
    words = Words(builder, vocabulary)
    rows = words.embedded("embedding.weight", normal_of(DRAWN), dimension, seed)
    dropped = words.dropped(rows, word_dropout, "embedding.dropout")
    turned = builder.add("Transpose", [dropped], {"perm": (1, 0, 2)}, name="embedding.turned")
    arrays = [
        builder.weight(f"{builder.name}.{kind}", array)
        for kind, array in _weights(operator, dimension, hidden, seed).items()
    ]
    attributes = {"hidden_size": hidden, "direction": "bidirectional"}
    # Without it the reset gate acts before the product, which no framework's kernel computes.
    if operator == "GRU":
        attributes["linear_before_reset"] = 1
    inputs = [turned, *arrays, words.lengths()]
    (states,) = builder.add(operator, inputs, attributes, name=builder.name, outputs=1)
    features = words.dropped(_maximum(builder, words, states, hidden), dropout, "dropout")
    return beside_terms(builder, features, 2 * hidden, terms, classes, seed)


def _weights(operator: str, dimension: int, hidden: int, seed: int) -> dict[str, np.ndarray]:
    """W [2, gates * hidden, dimension], R [2, gates * hidden, hidden], B [2, 2 * gates * hidden].

    As ONNX has them.
    """
    rows, weights = GATES[operator] * hidden, {}
    for kind, taken in (("W", dimension), ("R", hidden)):
        # Drawn flat: with three axes the last one would be the places of a kernel.
        flat = draw(fan_in_uniform, seed, f"{operator.lower()}.{kind}", (2 * rows, taken))
        weights[kind] = flat.reshape(2, rows, taken)
    weights["B"] = np.zeros((2, 2 * rows), np.float32)
    if operator == "LSTM":
        # At the start little is forgotten (Jozefowicz et al. 2015).
        weights["B"][:, FORGET * hidden : (FORGET + 1) * hidden] = 1
    return weights


def _maximum(builder: Builder, words: Words, states: str, hidden: int) -> str:
    """The largest value of each unit over the words, [n, 2 * hidden], of states [w, 2, n, hidden].

    Places behind the text do not count: however long the row of bytes, the answer is the same.
    """
    by_text = builder.add("Transpose", [states], {"perm": (2, 0, 1, 3)}, name="by_text")
    there = words.there((2, 3))
    one = builder.constant(np.float32(1), "present")
    below = builder.constant(np.float32(-BELOW_ALL), "below")
    lowered = builder.add("Mul", [builder.add("Sub", [there, one]), below], name="lowered")
    # The state behind a text without words counts for nothing either.
    present = builder.add("Mul", [by_text, there], name="present_states")
    masked = builder.add("Add", [present, lowered], name="masked")
    axis = builder.constant(np.array([1], np.int64), "over_time")
    largest = builder.add("ReduceMax", [masked, axis], {"keepdims": 0}, name="maximum")
    shape = builder.constant(np.array([0, 2 * hidden], np.int64), "flat")
    return builder.add("Reshape", [largest, shape], name="flattened")
