"""Which kind of task a target column is, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotrope.data.class_labels import may_be_grades
from allotrope.data.sources.arrays.array_names import array_name
from allotrope.errors import DataError

FEW, MANY = 10, 100
"""So many different whole numbers are classes at the most; more than so many are a quantity."""


@dataclass(frozen=True)
class TaskKind:
    """The kind of a task, and why in words."""

    kind: str
    reason: str


def task_kind(name: str, column: np.ndarray) -> TaskKind:
    """The kind of the target `name`, of which `column` [n, …] has every label.

    Raises: DataError if it may be of two kinds, which names the option for each, or of none.
    """
    if column.dtype.kind in "US":
        return TaskKind("classification", "its labels are texts")
    if column.dtype.kind == "b" and column.ndim == 1:
        return TaskKind("classification", "its labels are true or false")
    if column.ndim == 2 and column.shape[1] > 1:
        return _of_rows(column)
    if column.dtype.kind not in "buif" or column.ndim > 2:
        raise DataError(
            f"target '{name}' is {column.dtype} {list(column.shape)}; expected texts, numbers "
            "[n], or rows of numbers [n, k]."
        )
    return _of_numbers(name, column.reshape(-1))


def _of_rows(column: np.ndarray) -> TaskKind:
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    if not np.isin(known, (0, 1)).all():
        return TaskKind("regression", f"its labels are rows of {column.shape[1]} numbers")
    if (np.nansum(column.astype(np.float64), axis=1) == 1).all():
        return TaskKind("classification", "its rows have a single 1, whose place is the class")
    return TaskKind("multilabel", f"its labels are rows of {column.shape[1]} flags, 0 or 1")


def _of_numbers(name: str, column: np.ndarray) -> TaskKind:
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    if not np.isfinite(known).all() or (known != np.rint(known)).any():
        return TaskKind("regression", "its labels are fractions")
    distinct = len(np.unique(known))
    if distinct <= FEW:
        grades = may_be_grades(name, np.unique(known))
        words = f"its labels are {distinct} different whole numbers"
        return TaskKind("classification", ", ".join(filter(None, (words, grades))))
    if _says_labels(name):
        return TaskKind("classification", "its labels are whole numbers, and its name says labels")
    if distinct > MANY:
        return TaskKind("regression", f"its labels are {distinct:,} different whole numbers")
    raise DataError(
        f"target '{name}' holds {distinct} different whole numbers from {known.min():g} to "
        f"{known.max():g}, which may be classes or a quantity. Say which:\n"
        f"  --task {name}=classification   tells {distinct} classes apart\n"
        f"  --task {name}=regression       predicts a number"
    )


def _says_labels(name: str) -> bool:
    said = array_name(name)
    return said is not None and said.role == "labels"
