"""What a cell of a table is in a row of numbers: a number, a code of a category, days of a date.

A delivered predict.py carries this text, so that it reads as the training did.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from allotrope.inputs.table.cell_numbers import MISSING

MISSING_CATEGORY = frozenset(("", "?", "nan", "null", "#n/a"))
"""What stands for a category that is missing, in any case; `none` and `NA` may be categories."""
UNSEEN = 0
"""The code of a category that no training row had, or that is too rare to have one of its own."""
ISO = "iso"
"""The form of dates such as 2026-11-26 or 2026-11-26T06:05:00Z."""
STARTS_AS_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
COMPACT = "%Y%m%d"
"""The form of dates such as 20261126, of this century and the last."""
STARTS_COMPACT = re.compile(r"(19|20)\d{6}(?!\d)", re.ASCII)
EPOCH_FORMS = {"epoch-seconds": 86_400.0, "epoch-milliseconds": 86_400_000.0}
"""Times since 1970 as numbers, and how many make a day."""
EPOCH = datetime(1970, 1, 1)
"""A date is the days since then: a number that float32 holds to about three minutes."""
DATE_FORMS = (
    ISO,
    COMPACT,
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y"),
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y"),
)
"""How dates are written, in the letters of strptime; with dots the day is always first."""
CLOCKS = (" %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
"""How a time of day may follow."""


def days(cell: str, form: str) -> float:
    """The days since 1970 of a date in this form, UTC if it says a zone. Raises: ValueError."""
    if form in EPOCH_FORMS:
        return float(cell) / EPOCH_FORMS[form]
    if form.startswith(COMPACT) and not STARTS_COMPACT.match(cell):
        raise ValueError(f"'{cell}' is no date such as 20261126")
    if form != ISO:
        moment = datetime.strptime(cell, form)
    elif STARTS_AS_ISO.match(cell):
        moment = datetime.fromisoformat(cell)
    else:
        raise ValueError(f"'{cell}' is no date such as 2026-11-26")
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return (moment - EPOCH) / timedelta(days=1)


def date_in_words(value: float) -> str:
    """The date of so many days since 1970, with the time of day if it has one."""
    try:
        # Seconds of float32 days are noise: they are rounded to minutes.
        moment = EPOCH + timedelta(minutes=round(value * 1440))
    except OverflowError:
        return f"{value:.6g}"
    return moment.strftime("%Y-%m-%d" if moment.time() == EPOCH.time() else "%Y-%m-%d %H:%M")


def texts_of(column: np.ndarray) -> list[str]:
    """The categories of a column [n]: texts as they are, whole numbers without a point.

    Empty if one is missing.
    """
    if column.dtype.kind in "US":
        cells = column.astype("U").tolist()
    elif column.dtype.kind == "f":
        cells = [str(int(x)) if x.is_integer() else str(x) for x in column.tolist()]
    else:
        cells = [str(x) for x in column.tolist()]
    return ["" if cell.lower() in MISSING_CATEGORY else cell for cell in cells]


def coded(cells: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Codes float64 [n]: from 1 in the order of `texts`, UNSEEN for others, NaN if missing."""
    codes = {text: float(place) for place, text in enumerate(texts, 1)} | {"": np.nan}
    return np.array([codes.get(cell, float(UNSEEN)) for cell in cells], np.float64)


def dated(cells: Sequence[str], form: str) -> np.ndarray:
    """Days since 1970 float64 [n] of dates in this form, NaN if missing. Raises: ValueError."""
    known = [cell.lower() not in MISSING for cell in cells]
    pairs = zip(cells, known, strict=True)
    return np.array([days(cell, form) if there else np.nan for cell, there in pairs], np.float64)


def cell_in_words(value: float, texts: Sequence[str], form: str) -> str:
    """A number of a row as its cell said it; nothing if it is missing."""
    if np.isnan(value):
        return ""
    if texts:
        code = round(value)
        return texts[code - 1] if 1 <= code <= len(texts) else "(another)"
    return date_in_words(value) if form else f"{value:.6g}"
