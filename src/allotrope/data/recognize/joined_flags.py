"""Several targets of 0 and 1 as the labels of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.data.recognize.frame import Frame
from allotrope.data.store.lazy_columns import Columns, changed, without

LABELS = "labels"
"""What targets of 0 and 1 are called together."""


def with_joined_flags(
    frame: Frame, targets: Sequence[str], asked: Mapping[str, str]
) -> tuple[Frame, tuple[str, ...]]:
    """The frame with all targets as one column of flags [n, k], if each holds 0 and 1 alone.

    And the targets then. A kind that is asked for one of them keeps all apart.
    """
    if len(targets) < 2 or set(asked) & set(targets):
        return frame, tuple(targets)
    if not all(_is_flag(frame.whole(name)) for name in targets):
        return frame, tuple(targets)
    name = LABELS
    while name in frame.columns:
        name += "_"
    splits = {split: _joined(part, targets, name) for split, part in frame.splits.items()}
    listed = ", ".join(f"'{target}'" for target in targets)
    note = (
        f"the targets {listed} hold 0 and 1: together they are the labels of one task '{name}'; "
        f"--task {targets[0]}=classification keeps all apart"
    )
    frame = replace(
        frame,
        splits=splits,
        notes=[*frame.notes, note],
        label_names={**frame.label_names, name: tuple(targets)},
    )
    return frame, (name,)


def _joined(part: Columns, targets: Sequence[str], name: str) -> Columns:
    flags = np.stack([part[target].astype(np.float32) for target in targets], axis=1)
    return changed(without(part, targets), {name: flags})


def _is_flag(column: np.ndarray) -> bool:
    """Whether a column holds 0 and 1 and nothing else, but for what is missing."""
    if column.ndim != 1 or column.dtype.kind not in "buif":
        return False
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    return set(np.unique(known).tolist()) == {0, 1}
