"""Arrays as a part of a message."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np


def packed(arrays: Sequence[np.ndarray]) -> bytes:
    """Arrays as bytes, in order."""
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getvalue()


def unpacked(content: bytes) -> list[np.ndarray]:
    """The arrays again."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return [file[f"arr_{index}"] for index in range(len(file.files))]
