"""Columns of a table that alone tell an answer nearly always: they may be made of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from allotrope.data.reading import Reading
from allotrope.inputs.table.table import Table
from allotrope.tasks import Task
from allotrope.tasks.means import missing

ROWS = 4000
"""So many rows are enough to see it."""
COLUMNS = 300
"""Of more columns those that may tell it are found by their parts, which takes a second."""
PARTS = 64
LIKELY = 0.9
"""What equal parts of a column have to tell of the rows that they are made of to be looked at."""
TELLS = 0.999
"""The part of classes, or of a quantity's variance, from which on a column is pointed out."""


def leak_notes(reading: Reading) -> list[str]:
    """A line for each column that alone tells a task's answer."""
    tables = [each for each in reading.inputs if isinstance(each, Table)]
    return [
        f"'{column}' alone tells '{task.name}' ({share:.1%}): if it is only known once the answer "
        f"is, leave it out with --input {column}=none"
        for table in tables
        for task in reading.tasks
        for column, share in _telling(reading, table, task)
    ]


def _telling(reading: Reading, table: Table, task: Task) -> Iterator[tuple[str, float]]:
    """Columns that tell the answer, and how much of it."""
    train = reading.splits["train"]
    labels = train[task.name]
    if labels.ndim != 1:
        return
    # In a random order: rows are often sorted by the answer.
    rows = np.random.default_rng(0).permutation(np.flatnonzero(~missing(labels)))[:ROWS]
    x, y = train[table.name][rows], labels[rows]
    if len(rows) < 20 or len(np.unique(y)) < 2:
        return
    places = list(range(len(table.columns)))
    if len(places) > COLUMNS:
        places = [place for place in places if _by_parts(x[:, place], y, task.kind) >= LIKELY]
    for place in places:
        share = _told(x[:, place], y, task.kind)
        if share >= TELLS:
            yield table.columns[place], share


def _by_parts(column: np.ndarray, labels: np.ndarray, kind: str) -> float:
    """What the parts of a column between quantiles tell of the labels of the same rows.

    It is never less than nearly all if a tree that learned from half of them tells nearly all.
    """
    x = np.nan_to_num(column, nan=-1e30)
    values = np.unique(x)
    if len(values) > PARTS:
        values = np.unique(np.quantile(x, np.linspace(0, 1, PARTS + 1)))
    parts = np.searchsorted(values, x, side="right")
    if kind == "regression":
        counts = np.bincount(parts)
        means = np.bincount(parts, weights=labels) / np.maximum(counts, 1)
        return 1 - float(np.mean((labels - means[parts]) ** 2)) / float(np.var(labels))
    classes = int(labels.max()) + 1
    counts = np.bincount(parts * classes + labels, minlength=(parts.max() + 1) * classes)
    right = counts.reshape(-1, classes).max(axis=1).sum() / len(labels)
    usual = np.bincount(labels).max() / len(labels)
    return float((right - usual) / (1 - usual))


def _told(column: np.ndarray, labels: np.ndarray, kind: str) -> float:
    """What a small tree over this column alone gets right, of what is left beside a guess."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    x = np.nan_to_num(column, nan=-1e30).reshape(-1, 1)
    half = len(x) // 2
    # Learned from one half and judged by the other: ids that differ in every row tell nothing.
    if kind == "regression":
        tree = DecisionTreeRegressor(max_leaf_nodes=512, random_state=0)
        return float(tree.fit(x[:half], labels[:half]).score(x[half:], labels[half:]))
    tree = DecisionTreeClassifier(max_leaf_nodes=64, random_state=0)
    right = tree.fit(x[:half], labels[:half]).score(x[half:], labels[half:])
    usual = np.bincount(labels[half:]).max() / (len(x) - half)
    return float((right - usual) / (1 - usual)) if usual < 1 else 0.0
