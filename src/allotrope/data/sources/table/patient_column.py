"""The column of a table of pictures or volumes that tells patients apart, by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from allotrope.config import DataOptions

PATIENT = re.compile(
    r"(patient|subject|participant)[ _.-]?(id|nr|no|num|number|name|uid|code)?|pid|mrn",
    re.IGNORECASE,
)
NONE = "none"


def with_patients(options: DataOptions, columns: Sequence[str], notes: list[str]) -> DataOptions:
    """The options by which no patient is in two splits, if a column is called after patients.

    Another column may be asked for, or by `none` no column.
    """
    if options.group == NONE and NONE not in columns:
        return replace(options, group=None)
    taken = {*options.target, *options.task, *options.input}
    named = [name for name in columns if PATIENT.fullmatch(name) and name not in taken]
    if options.group is not None or options.time is not None or len(named) != 1:
        return options
    notes.append(
        f"'{named[0]}' tells patients apart, none of whom is in two splits; --group NAME takes "
        "another column, --group none takes no column"
    )
    return replace(options, group=named[0])
