"""Columns that tell nothing of an example: one value throughout, or a number of the row itself."""

from __future__ import annotations

import numpy as np

from allotrope.data.recognize.frame import NUMBERS, Frame
from allotrope.data.recognize.whole_dates import whole_dates
from allotrope.data.split_names import words
from allotrope.data.store.lazy_columns import shape_of
from allotrope.data.store.stored_texts import text_pages

ID_WORDS = frozenset(("id", "ids", "index", "idx", "uuid", "guid", "key", "row", "unnamed"))
"""What a column is called that counts or names rows."""
ONE_VALUE = "it holds one value in all rows"
LEAST_ROWS = 20
"""In fewer rows numbers may well all be different."""


def why_unused(frame: Frame, name: str) -> str:
    """Why a column is not worth learning from; nothing if it may be."""
    # Pixels and voxels of splits may differ in shape, which whoever reads them says.
    if len(shape_of(frame.splits["train"], name)) != 1:
        return ""
    if frame.splits["train"][name].dtype.kind == "T":
        return ONE_VALUE if _is_one_text(frame, name) else ""
    column = frame.whole(name)
    values = np.unique(column)
    if column.dtype.kind == "f" and np.isnan(column).all():
        return "it holds nothing in any row"
    if len(values) == 1:
        return ONE_VALUE
    numbered = frame.form(name) == NUMBERS and not len(whole_dates(frame, name))
    if numbered and _counts_rows(name, column, values):
        return "it looks like an id: every row has another whole number"
    return ""


def _is_one_text(frame: Frame, name: str) -> bool:
    """Whether all of a column of long texts are the same: looked at by page, to the first other."""
    first = str(frame.splits["train"][name][0])
    parts = (columns[name] for columns in frame.splits.values())
    return all(text == first for part in parts for page in text_pages(part) for text in page)


def _counts_rows(name: str, column: np.ndarray, values: np.ndarray) -> bool:
    """Whether numbers are all different, whole, and said to be ids or one after another."""
    if len(values) < len(column) or len(column) < LEAST_ROWS or column.dtype.kind not in "iuf":
        return False
    if not np.isfinite(column).all() or (column != np.rint(column)).any():
        return False
    steps = np.unique(np.diff(column))
    return bool(ID_WORDS & set(words(name))) or (len(steps) == 1 and abs(steps[0]) == 1)
