"""What a network answers for many examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allotrope.data.like_lengths import cut, lengths_of
from allotrope.data.store.stored_rows import foresee
from allotrope.errors import DataError
from allotrope.frameworks.contract import Arrays
from allotrope.inputs.contract import Input
from allotrope.memory_limit import examples_at_once

Floats = NDArray[np.floating[Any]]


def in_batches(
    answer: Callable[[Arrays], Arrays],
    inputs: Arrays,
    kinds: Sequence[Input] = (),
    batch: int = 500,
) -> dict[str, np.ndarray]:
    """What `answer` gives for all `inputs` [n, ...] by name, asked for at most `batch` at a time.

    Of large examples fewer, so that what a network makes of them fits in memory.
    All batches are of one size, the last filled up with its first example, because a compiled
    network is compiled for each size. `kinds` are the inputs: examples of like lengths are asked
    for together, and without their padding.
    """
    count = len(next(iter(inputs.values())))
    if not count:
        raise DataError("there are no examples to evaluate; at least one is needed.")
    most = examples_at_once(inputs, batch)
    size = math.ceil(count / math.ceil(count / most))
    lengths = lengths_of(kinds, inputs)
    order = np.arange(count)
    if lengths is not None:
        order = np.argsort(lengths, kind="stable")
    answers = []
    for start in range(0, count, size):
        # The last batch repeats an example, so that it has the size of all others.
        rows = _filled(order[start : start + size], size)
        foresee(inputs.values(), order[start + size : start + 2 * size])
        part = {name: x[rows] for name, x in inputs.items()}
        answers.append(answer({**part, **cut(kinds, part)}))
    return {name: _placed([one[name] for one in answers], order, size) for name in answers[0]}


def _filled(rows: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([rows, np.repeat(rows[:1], size - len(rows))])


def _placed(answers: Sequence[np.ndarray], order: np.ndarray, size: int) -> np.ndarray:
    """Answers to examples in this order, brought back to the order of the examples.

    An output that is not of the `size` examples of a batch is the same of each batch.
    """
    if len(answers[0]) != size:
        return answers[0]
    joined = np.concatenate(answers)[: len(order)]
    placed = np.empty_like(joined)
    placed[order] = joined
    return placed
