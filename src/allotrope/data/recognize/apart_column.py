"""The column that decides which examples may stand in one split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.apart_splits import Apart
from allotrope.data.recognize.column_roles import NONE, Asked
from allotrope.data.recognize.date_order import DATE_KINDS, check_dates
from allotrope.data.recognize.frame import NUMBERS, Frame
from allotrope.data.recognize.table_columns import table_column, table_values
from allotrope.data.recognize.text_forms import DATES
from allotrope.errors import UsageError


def without_apart(asked: Asked, options: DataOptions, frame: Frame) -> Asked:
    """What is asked for, without the column of groups or times, unless it is asked for too.

    Raises: UsageError if there is no such column, or both kinds are asked for.
    """
    names = {"group": options.group, "time": options.time}
    wanted = {kind: name for kind, name in names.items() if name is not None}
    if len(wanted) > 1:
        raise UsageError("--group and --time: splits are parted by one of them. Leave one out.")
    lacking = [
        f"--{kind}: there is no column '{name}'"
        for kind, name in wanted.items()
        if name not in frame.columns
    ]
    if lacking:
        columns = ", ".join(map(repr, frame.columns[:20]))
        raise UsageError(f"{frame.name}: {'; '.join(lacking)}. Columns: {columns}.")
    left_out = {name: NONE for name in wanted.values() if name not in asked.inputs}
    return replace(asked, inputs={**asked.inputs, **left_out})


def apart_of(frame: Frame, options: DataOptions) -> Apart | None:
    """The groups or times of each row, if they are to decide the splits.

    Raises: UsageError for times that are neither numbers nor dates, or missing.
    """
    if options.group is not None:
        parts = {split: part[options.group] for split, part in frame.splits.items()}
        return Apart("group", options.group, parts)
    if options.time is None:
        return None
    name, form = options.time, frame.form(options.time)
    if form not in (NUMBERS, DATES):
        raise UsageError(f"{frame.name}: --time '{name}' holds {form}; expected numbers or dates.")
    kind = "number"
    if form == DATES:
        asked = options.input.get(name)
        kind = asked if asked in DATE_KINDS else DATE_KINDS[0]
        check_dates(frame, {name: kind})
    values = table_values(frame, name, table_column(frame, name, kind))
    if any(np.isnan(part).any() for part in values.values()):
        raise UsageError(f"{frame.name}: --time '{name}' is missing in some rows. Remove them.")
    return Apart("time", name, values)
