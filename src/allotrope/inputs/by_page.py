"""Columns a page at a time: they may lie on disk, and take more than the memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allotrope.memory_limit import data_limit

PAGE = 32_000_000
"""Bytes of a page, about."""


def pages(x: np.ndarray, every: int = 1, size: int = PAGE) -> Iterator[np.ndarray]:
    """Rows 0, `every`, 2 `every`, … of x [n, …], so many at a time as take about `size` bytes."""
    row = max(1, x.dtype.itemsize * int(np.prod(x.shape[1:], dtype=np.int64)))
    count = max(1, size // row)
    for start in range(0, len(x), count * every):
        yield x[start : start + count * every : every]


def each_column(x: Any) -> Iterator[np.ndarray]:
    """The columns [n] of rows x [n, k], an array or rows on disk, in their order.

    Rows on disk are gone over several times, each time for as many columns as are held in memory.
    """
    if isinstance(x, np.ndarray):
        yield from x.T
        return
    length, width = x.shape
    at_once = max(1, data_limit() // max(length * x.dtype.itemsize, 1))
    for first in range(0, width, at_once):
        columns = np.empty((min(at_once, width - first), length), x.dtype)
        # Each column is a row here: what follows goes over one of them several times.
        start = 0
        for page in pages(x):
            columns[:, start : start + len(page)] = page[:, first : first + at_once].T
            start += len(page)
        yield from columns
