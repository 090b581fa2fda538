"""What a network answers for many examples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allotrope.errors import DataError

Floats = NDArray[np.floating[Any]]


def in_batches(
    answer: Callable[[NDArray[np.uint8]], Floats], images: NDArray[np.uint8], batch: int = 500
) -> Floats:
    """What `answer` gives for all `images` [n, ...], asked for at most `batch` at a time.

    All batches are of one size, the last filled up with its first image, because a compiled network
    is compiled for each size.
    """
    if not len(images):
        raise DataError("there are no images to evaluate; at least one is needed.")
    size = math.ceil(len(images) / math.ceil(len(images) / batch))
    starts = range(0, len(images), size)
    answers = [answer(_filled(images[start : start + size], size)) for start in starts]
    return np.concatenate(answers)[: len(images)]


def _filled(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    lacking = size - len(images)
    return np.concatenate([images, np.repeat(images[:1], lacking, axis=0)])
