"""What is asked for of columns, joined by what the network says that is to be trained further."""

from __future__ import annotations

from dataclasses import replace

from allotrope.data.recognize.column_roles import NONE, Asked, can_be
from allotrope.data.recognize.frame import NUMBERS, Frame
from allotrope.data.recognize.text_forms import CATEGORIES, DATES
from allotrope.data.store.lazy_columns import shape_of

CELLS = (NUMBERS, CATEGORIES, DATES)
"""What columns look like that are cells of a row."""


def with_known(asked: Asked, frame: Frame) -> Asked:
    """What was asked for; of other columns what the network knows of them, if they can be that.

    A row of cells is the network's own: cells that it does not take are left out.
    """
    known, there = frame.known, set(frame.columns)
    targets = asked.targets
    if not targets and not asked.tasks:
        targets = tuple(name for name in known.targets if name in there)
    free = there - set(targets) - asked.inputs.keys() - asked.tasks.keys()
    inputs = {
        name: kind
        for name, kind in known.inputs.items()
        if name in free and can_be(frame, name, kind)
    }
    if targets and known.inputs.keys() & there:
        strange = {name for name in free - known.inputs.keys() if _is_cell(frame, name)}
        inputs |= dict.fromkeys(sorted(strange), NONE)
    # A kind that is said of one of several flags would keep all of them apart.
    tasks = (
        {} if asked.tasks else {name: kind for name, kind in known.tasks.items() if name in targets}
    )
    return replace(
        asked,
        targets=targets,
        tasks={**asked.tasks, **tasks},
        inputs={**asked.inputs, **inputs},
        follow=frozenset(inputs.keys() | tasks.keys()),
    )


def _is_cell(frame: Frame, name: str) -> bool:
    """Whether a column is one cell of each row, rather than a row by itself."""
    return frame.form(name) in CELLS and len(shape_of(frame.splits["train"], name)) == 1
