"""Columns a page at a time: they may lie on disk, and take more than the memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

PAGE = 32_000_000
"""Bytes of a page, about."""


def pages(x: np.ndarray, every: int = 1, size: int = PAGE) -> Iterator[np.ndarray]:
    """Rows 0, `every`, 2 `every`, … of x [n, …], so many at a time as take about `size` bytes."""
    row = max(1, x.dtype.itemsize * int(np.prod(x.shape[1:], dtype=np.int64)))
    count = max(1, size // row)
    for start in range(0, len(x), count * every):
        yield x[start : start + count * every : every]
