"""An order of examples in which every class comes equally often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.errors import UsageError, unknown_name
from allotrope.tasks import Classification, Task

SAMPLING = ("natural", "balanced")


def balanced_labels(
    sampling: str, tasks: Sequence[Task], columns: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """The classes [n] that are drawn equally often; None if every example is drawn once.

    They are those of the first classification. Raises: UsageError if there is none.
    """
    if sampling not in SAMPLING:
        raise unknown_name("sampling", sampling, SAMPLING)
    if sampling == "natural":
        return None
    task = next((task for task in tasks if isinstance(task, Classification)), None)
    if task is None:
        raise UsageError("--sampling balanced draws classes equally often, and no task has any.")
    return columns[task.name]


def balanced_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows [n], as many of every class of `labels` [n], but for one more or less.

    Of a class every row comes once before one comes again. A row without a class is left out.
    """
    classes, count = np.unique(labels[labels >= 0]), len(labels)
    # Where the parts of an equal division end, as near to it as whole rows allow.
    ends = np.arange(len(classes) + 1) * count // len(classes)
    parts = []
    for label, wanted in zip(classes, np.diff(ends).tolist(), strict=True):
        own = np.flatnonzero(labels == label)
        rounds = [rng.permutation(own) for _ in range(-(-wanted // len(own)))]
        parts.append(np.concatenate([own[:0], *rounds])[:wanted])
    return rng.permutation(np.concatenate(parts))
