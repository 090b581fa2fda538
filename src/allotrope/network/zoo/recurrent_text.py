"""Recurrent layers over the words of a text, in both directions, and the maximum over time.

Conneau et al. 2017 (https://arxiv.org/abs/1705.02364).
"""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.initialize import draw, fan_in_uniform, normal_of
from allotrope.network.network import Network
from allotrope.network.zoo.ngram import Terms
from allotrope.network.zoo.word_front import INT64, Words, beside_terms

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
    numbers = words.by_time(words.numbers)
    rows = words.embedded("embedding.weight", normal_of(DRAWN), dimension, seed, numbers)
    x = words.dropped(rows, word_dropout, "embedding.dropout")
    lengths = builder.add("Cast", [words.lengths()], {"to": INT64}, name="steps")
    order = {"time_axis": 0, "batch_axis": 1}
    back = builder.add("ReverseSequence", [x, lengths], order, name="embedding.reversed")
    lowered = _lowered(builder, words)
    # A layer each way, and no lengths in it: what stands behind a text comes after its states. With
    # lengths OpenVINO 2026.4 gives other values as soon as there are two texts.
    parts = [
        _maximum(
            builder, _layer(builder, operator, each, sizes, f"{builder.name}.{way}", seed), lowered
        )
        for way, each in (("forward", x), ("backward", back))
    ]
    together = builder.add("Concat", parts, {"axis": 2}, name="maxima")
    axis = builder.constant(np.array([0], np.int64), "way")
    features = builder.add("Squeeze", [together, axis], name="features")
    dropped = words.dropped(features, dropout, "dropout")
    return beside_terms(builder, dropped, 2 * hidden, terms, classes, seed)


def _layer(
    builder: Builder, operator: str, x: str, sizes: tuple[int, int], name: str, seed: int
) -> str:
    """The states [w, 1, n, hidden] of one layer over x [w, n, dimension]."""
    arrays = [
        builder.weight(f"{name}.{kind}", array)
        for kind, array in _weights(operator, *sizes, name, seed).items()
    ]
    attributes = {"hidden_size": sizes[1]}
    # Without it the reset gate acts before the product, which no framework's kernel computes.
    if operator == "GRU":
        attributes["linear_before_reset"] = 1
    (states,) = builder.add(operator, [x, *arrays], attributes, name=name, outputs=1)
    return states


def _weights(
    operator: str, dimension: int, hidden: int, name: str, seed: int
) -> dict[str, np.ndarray]:
    """W [1, gates * hidden, dimension], R [1, gates * hidden, hidden], B [1, 2 * gates * hidden].

    As ONNX has them.
    """
    rows, weights = GATES[operator] * hidden, {}
    for kind, taken in (("W", dimension), ("R", hidden)):
        # Drawn flat: with three axes the last one would be the places of a kernel.
        weights[kind] = draw(fan_in_uniform, seed, f"{name}.{kind}", (rows, taken))[None].copy()
    weights["B"] = np.zeros((1, 2 * rows), np.float32)
    if operator == "LSTM":
        # At the start little is forgotten (Jozefowicz et al. 2015).
        weights["B"][:, FORGET * hidden : (FORGET + 1) * hidden] = 1
    return weights


def _lowered(builder: Builder, words: Words) -> tuple[str, str]:
    """1 for words, 0 else, and what is added to states where there is no word: [w, 1, n, 1]."""
    there = words.there((1, 3), words.by_time(words.flags))
    one = builder.constant(np.float32(1), "present")
    below = builder.constant(np.float32(-BELOW_ALL), "below")
    absent = builder.add("Sub", [there, one], name="absent")
    return there, builder.add("Mul", [absent, below], name="lowered")


def _maximum(builder: Builder, states: str, mask: tuple[str, str]) -> str:
    """The largest value of each unit over the words, [1, n, hidden], of states [w, 1, n, hidden].

    Places behind the text do not count: however long the row of bytes, the answer is the same. The
    state behind a text without words counts for nothing either.
    """
    there, lowered = mask
    present = builder.add("Mul", [states, there], name=f"{states}.present")
    masked = builder.add("Add", [present, lowered], name=f"{states}.masked")
    axis = builder.constant(np.array([0], np.int64), f"{states}.over_time")
    return builder.add("ReduceMax", [masked, axis], {"keepdims": 0}, name=f"{states}.maximum")
