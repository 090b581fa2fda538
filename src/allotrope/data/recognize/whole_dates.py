"""Columns of whole numbers that are dates: 20261126, or time since 1970."""

from __future__ import annotations

import numpy as np

from allotrope.data.recognize.frame import NUMBERS, Frame
from allotrope.inputs.table.cell_codes import COMPACT, EPOCH_FORMS, date_in_words, days

LEAST_DIFFERENT = 2
FIRST, LAST = "1980-01-01", "2100-01-01"
"""Between these, times since 1970 are likely to be such."""


def whole_dates(frame: Frame, name: str) -> np.ndarray:
    """The different days [k] of numbers such as 20261126; none unless all of them are dates.

    Numbers of eight digits by chance are dates in one of 40 cases, all of a column never.
    """
    values = _whole_numbers(frame, name)
    if len(values) < LEAST_DIFFERENT:
        return np.empty(0)
    try:
        return np.array([days(str(int(value)), COMPACT) for value in values])
    except ValueError:
        return np.empty(0)


def why_dates(frame: Frame, name: str) -> str:
    """Why a column of numbers is read as dates, with {name} for its name; nothing if it is not."""
    there = whole_dates(frame, name)
    if not len(there):
        return ""
    first, last = date_in_words(there.min()), date_in_words(there.max())
    return (
        f"its whole numbers are all dates, such as {int(_whole_numbers(frame, name)[0])}, from "
        f"{first} to {last}; --input {{name}}=number takes them as numbers"
    )


def epoch_doubt(frame: Frame, name: str) -> str:
    """That numbers may be times since 1970, if they may; the column stays one of numbers."""
    values = _whole_numbers(frame, name)
    if len(values) < LEAST_DIFFERENT:
        return ""
    for form in EPOCH_FORMS:
        ends = [days(str(int(value)), form) for value in (values.min(), values.max())]
        first, last = map(_in_words, ends)
        if first >= FIRST and last < LAST:
            return (
                f"it holds whole numbers, which may be times from {first} to {last}; "
                f"--input {{name}}={form} takes them as dates"
            )
    return ""


def _in_words(value: float) -> str:
    """Such as 2026-11-26; something after all dates for what is beyond the calendar."""
    text = date_in_words(value)
    return text[:10] if text[4:5] == "-" else "9"


def _whole_numbers(frame: Frame, name: str) -> np.ndarray:
    """The different numbers of a column that holds nothing but whole ones, else none."""
    if frame.form(name) != NUMBERS or name in frame.spoiled or name in frame.written:
        return np.empty(0)
    if not all(_may_be_exact(part[name]) for part in frame.splits.values()):
        return np.empty(0)
    column = frame.whole(name)
    known = np.unique(column[~np.isnan(column)] if column.dtype.kind == "f" else column)
    whole = np.isfinite(known).all() and (known == np.rint(known)).all()
    return known if whole else np.empty(0)


def _may_be_exact(column: np.ndarray) -> bool:
    """Whether a column has numbers of which none was rounded: float32 has only seven digits."""
    kind = column.dtype.kind
    return column.ndim == 1 and (kind in "iu" or (kind == "f" and column.itemsize >= 8))
