"""Columns of lists of texts: each row has none, one or several labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LabelLists:
    """The labels in their order, and float32 flags [n, labels], NaN if a row has no list."""

    labels: tuple[str, ...]
    flags: np.ndarray


def labels_of(column: Any) -> LabelLists | None:
    """The labels of a narwhals column whose cells are lists of texts; None if they are not."""
    if "List" not in str(column.dtype) and str(column.dtype) != "Object":
        return None
    cells = [None if value is None else _list(value) for value in column.to_list()]
    known = [cell for cell in cells if cell is not None]
    if not known or not all(isinstance(label, str) for cell in known for label in cell):
        return None
    labels = tuple(sorted({label for cell in known for label in cell}))
    if not labels:
        return None
    places = {label: place for place, label in enumerate(labels)}
    flags = np.zeros((len(cells), len(labels)), np.float32)
    for row, cell in enumerate(cells):
        if cell is None:
            flags[row] = np.nan
            continue
        flags[row, [places[label] for label in cell]] = 1
    return LabelLists(labels, flags)


def _list(value: Any) -> list[Any]:
    """The entries of a list, tuple, array or set; of what is none, something that is no text."""
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return list(value)
    return [None]
