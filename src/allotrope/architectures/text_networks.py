"""Networks for texts, whose vocabulary, terms and linear model are of the training texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.architectures.asked_style import checked_style, style_for
from allotrope.architectures.linear_terms import counted, linear_terms
from allotrope.config import Recipe
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.inputs.text.hash_tables import BUCKETS
from allotrope.inputs.text.raw_bytes import byte_counts
from allotrope.inputs.text.text_input import GRAMS, WORDS, Text
from allotrope.memory_limit import data_limit
from allotrope.network.network import Network
from allotrope.network.rewriting.joined import Trunk, joined, trunk_of, with_heads
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.zoo import TEXT_NETWORKS
from allotrope.network.zoo.ngram import ngram
from allotrope.network.zoo.text_cnn import text_cnn
from allotrope.tasks import Task
from allotrope.tasks.several import trained_by

BESIDE_LINEAR = (
    "It begins as a linear model of all words, pairs of words and n-grams of characters (support "
    "vectors on TF-IDF and, counted twice, on naive Bayes ratios), and is given back as that if "
    "training adds nothing on the validation examples."
)
LINEAR_PER_BYTE = 128
"""Bytes of memory that the linear model takes for a byte of its texts, about."""
FEWEST = 1000
"""It is made of so many texts at least."""
MANY = 20_000
"""With so many training texts a transformer may find what others do not."""
LONG = 2048
"""In texts of so many bytes the order of words says little more than the words: no convolutions."""


def contenders_for(data: Data, name: str) -> tuple[str, ...]:
    """The networks that may suit the data and are worth a race; the first suits without one.

    Only texts alone have several: how much the order of words says, no rule tells beforehand.
    """
    (only, *others) = data.inputs
    if others or name != "auto" or not isinstance(only, Text) or only.longest >= LONG:
        return (name,)
    if len(data.train) < MANY:
        return ("text_cnn", "gru")
    return ("text_cnn", "gru", "transformer")


def family_for_texts(name: str, texts: Sequence[Text]) -> tuple[str, str]:
    """The network for the texts, and why.

    Raises: UsageError if one for other inputs is asked for.
    """
    if name in TEXT_NETWORKS:
        return name, f"{name} was asked for."
    if name != "auto":
        raise UsageError(
            f"{name} does not take texts, and there is nothing else to learn from. Take --network "
            f"{', '.join(TEXT_NETWORKS)}, or leave --network out."
        )
    longest = max(each.longest for each in texts)
    if longest >= LONG:
        return "ngram", f"ngram, because texts of up to {longest:,} bytes are told by their terms."
    return "text_cnn", "text_cnn, because in short texts the order of the words counts."


def beside_linear(
    data: Data,
    text: Text,
    name: str,
    recipe: Recipe,
    seed: int,
    shape: Mapping[str, Any] | None = None,
) -> Network:
    """The network of the only text, whose answers begin as those of a linear model of its terms.

    `shape` are arguments of the network's function. The last layer takes that model's answers as
    they are, and of all other features nothing yet.
    """
    labels = data.train.columns
    tasks = trained_by(data.tasks, recipe, labels)
    x = labels[text.name]
    rows = rows_that_fit(x, seed)
    counts = counted(text.buckets(x.take(rows, axis=0), GRAMS), BUCKETS)
    terms = linear_terms(counts, tasks, [labels[task.name][rows] for task in tasks])
    answers = len(terms.bias)
    build, style = TEXT_NETWORKS[name], style_for(TEXT_NETWORKS[name], recipe)
    shaped = {**style, **(shape or {})}
    if name == "ngram":
        built = ngram(answers, terms, seed=seed)
    else:
        built = build(answers, _vocabulary(text, x), terms=terms, seed=seed, **shaped)
    sizes = {task.name: task.size for task in tasks}
    network = with_heads(_trunk(text, built), sizes, seed)
    return network.with_weights(_straight(network, tasks, answers))


def rows_that_fit(x: np.ndarray, seed: int) -> np.ndarray:
    """The training texts of which a linear model fits in memory: all, or as many drawn by seed."""
    sizes, fitting = byte_counts(x), data_limit() // LINEAR_PER_BYTE
    count = len(x)
    if sizes.sum() > fitting:
        count = min(count, max(FEWEST, count * fitting // int(sizes.sum())))
    if count == len(x):
        return np.arange(count)
    return np.sort(np.random.default_rng([seed, len(x)]).permutation(len(x))[:count])


def linear_in_words(x: np.ndarray, seed: int) -> str:
    """Why the network begins as it does; and of which texts, if not of all."""
    count = len(rows_that_fit(x, seed))
    if count == len(x):
        return BESIDE_LINEAR
    return (
        f"{BESIDE_LINEAR} That model is of {count:,} of the {len(x):,} training texts, drawn by "
        "seed, as many as fit in memory with their terms; training sees all."
    )


def words_alone(text: Text, x: np.ndarray, seed: int, style: dict[str, Any]) -> Network:
    """The network for a text among other inputs, of which a trunk is taken.

    Raises: UsageError for a style that it has no place for.
    """
    own = checked_style("text_cnn", ["activation", "dropout"], style)
    return text_cnn(2, _vocabulary(text, x), seed=seed, **own)


def _trunk(text: Text, network: Network) -> Trunk:
    prepared = text.prepare(network)
    (output,) = prepared.outputs
    return joined({text.name: trunk_of(named_after(prepared, [text.name], [output.name]))})


def _straight(network: Network, tasks: Sequence[Task], answers: int) -> dict[str, np.ndarray]:
    """Weights of the heads by name: 1 for what the linear model says of the task, else 0."""
    weights, first = {}, 0
    for task in tasks:
        name = f"head.{task.name}.weight"
        weights[name] = np.zeros_like(network.weights[name])
        own = np.arange(task.size)
        weights[name][own, own + first - answers] = 1
        weights[f"head.{task.name}.bias"] = np.zeros(task.size, np.float32)
        first += task.size
    return weights


def _vocabulary(text: Text, x: np.ndarray) -> np.ndarray:
    """The number of the word in each bucket, int32 [BUCKETS]; of those never seen the last one."""
    there = np.zeros(BUCKETS, bool)
    for words in text.buckets(x, WORDS):
        there[words] = True
    seen = np.flatnonzero(there[1:]) + 1
    numbers = np.full(BUCKETS, len(seen) + 1, np.int32)
    numbers[0] = 0
    numbers[seen] = np.arange(1, len(seen) + 1)
    return numbers
