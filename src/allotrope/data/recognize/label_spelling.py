"""Labels of later splits that are those of training but for a dot, a space or the case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

SHOWN = 4


def with_training_spelling(
    columns: Mapping[str, np.ndarray], notes: list[str]
) -> dict[str, np.ndarray]:
    """The columns of texts by split, with labels of others spelled as the training's are.

    UCI's adult has `<=50K` in training and `<=50K.` in its test. A label is only renamed if a
    single training label is the same but for case, spaces and a dot at the end; each is said.
    """
    spelled = dict(columns)
    train = columns["train"]
    if any(column.dtype.kind != "U" or column.ndim != 1 for column in columns.values()):
        return spelled
    trained = set(train.tolist())
    by_core = defaultdict(set)
    for label in trained:
        by_core[_core(label)].add(label)
    for split, column in columns.items():
        renamed = {
            label: next(iter(by_core[_core(label)]))
            for label in sorted(set(column.tolist()) - trained)
            if len(by_core[_core(label)]) == 1
        }
        if renamed:
            spelled[split] = np.array([renamed.get(label, label) for label in column.tolist()])
            listed = ", ".join(f"'{a}' as '{b}'" for a, b in list(renamed.items())[:SHOWN])
            notes.append(f"labels of {split} are spelled otherwise and were read so: {listed}")
    return spelled


def _core(label: str) -> str:
    return "".join(label.removesuffix(".").split()).casefold()
