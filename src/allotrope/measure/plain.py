"""Whatever a runtime gives, as arrays for a file without pickles: also texts, lists, dicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def plain(outputs: Mapping[str, Any]) -> list[np.ndarray]:
    """All outputs, one after the other."""
    return [array for output in outputs.values() for array in _arrays(output)]


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """A sequence is its elements.

    a list of dicts with the same keys, as ZipMap gives, is the keys and a table.
    """
    if value is None:
        return
    if isinstance(value, Mapping):
        yield from _arrays(np.asarray(list(value)))
        yield from _arrays(np.asarray(list(value.values())))
    elif (
        isinstance(value, list)
        and value
        and all(isinstance(row, Mapping) and row.keys() == value[0].keys() for row in value)
    ):
        yield from _arrays(np.asarray(list(value[0])))
        yield from _arrays(np.asarray([list(row.values()) for row in value]))
    elif isinstance(value, list):
        for part in value:
            yield from _arrays(part)
    else:
        array = np.asarray(value)
        yield array if array.dtype.kind in "biufcU" else _converted(array)


def _converted(array: np.ndarray) -> np.ndarray:
    """Texts as NumPy's own, and floats of 8 and 16 bits, which NumPy does not know, as float32."""
    if array.dtype.kind in "OS":
        return array.astype(np.str_)
    return array.astype(np.float32)
