"""Unlabelled rows as their source brings them: without the columns that others have labels in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from allotrope.data.examples import UNLABELLED
from allotrope.data.recognize.frame import Frame
from allotrope.data.store.lazy_columns import Columns, count_of
from allotrope.errors import DataError


def with_absent(frame: Frame) -> Frame:
    """The frame whose unlabelled rows have all columns of training, empty if they brought none."""
    rows = frame.splits.get(UNLABELLED)
    if rows is None or "train" not in frame.splits:
        return frame
    train, count = frame.splits["train"], count_of(rows)
    absent = [name for name in train if name not in rows]
    filled: Columns = {**rows, **{name: _nothing(train[name], count) for name in absent}}
    return replace(frame, splits={**frame.splits, UNLABELLED: filled}, absent=frozenset(absent))


def _nothing(like: np.ndarray, count: int) -> np.ndarray:
    """So many rows of a column such as this one in which nothing stands."""
    if like.dtype.kind in "UST":
        return np.zeros(count, like.dtype)
    return np.full((count, *like.shape[1:]), np.nan)


def check_absent(frame: Frame, inputs: Collection[str]) -> None:
    """Raises: DataError if unlabelled rows lack columns that are learned from."""
    lacking = sorted(frame.absent.intersection(inputs))
    if lacking:
        raise DataError(
            f"{frame.name}: unlabelled has no column {', '.join(map(repr, lacking))}, which train "
            "has. Only labels may be left out of it."
        )
