"""What a network answers for many examples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allotrope.errors import DataError
from allotrope.frameworks.contract import Arrays

Floats = NDArray[np.floating[Any]]


def in_batches(
    answer: Callable[[Arrays], Arrays], inputs: Arrays, batch: int = 500
) -> dict[str, np.ndarray]:
    """What `answer` gives for all `inputs` [n, ...] by name, asked for at most `batch` at a time.

    All batches are of one size, the last filled up with its first example, because a compiled
    network is compiled for each size.
    """
    count = len(next(iter(inputs.values())))
    if not count:
        raise DataError("there are no examples to evaluate; at least one is needed.")
    size = math.ceil(count / math.ceil(count / batch))
    answers = []
    for start in range(0, count, size):
        part = {name: _filled(x[start : start + size], size) for name, x in inputs.items()}
        answers.append(answer(part))
    return {name: np.concatenate([one[name] for one in answers])[:count] for name in answers[0]}


def _filled(examples: np.ndarray, size: int) -> np.ndarray:
    lacking = size - len(examples)
    return np.concatenate([examples, np.repeat(examples[:1], lacking, axis=0)])
