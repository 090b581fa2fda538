"""Single columns of a frame as columns of a row of numbers and codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.data.recognize.date_order import DATE_KINDS, date_form
from allotrope.data.recognize.frame import Frame
from allotrope.inputs.table.cell_codes import EPOCH_FORMS, coded, dated, texts_of
from allotrope.inputs.table.column_statistics import LEAST_ROWS, MOST_LEVELS

CATEGORICAL = "categorical"


@dataclass(frozen=True)
class TableColumn:
    """A column float64 [n] by split; the texts of its codes, or the form of dates or numbers."""

    values: Mapping[str, np.ndarray]
    texts: tuple[str, ...] = ()
    date_form: str = ""
    written: str = ""


def table_column(frame: Frame, name: str, kind: str) -> TableColumn:
    """The column of this name, of one of the kinds `number`, `categorical` and those of dates."""
    parts = {split: columns[name] for split, columns in frame.splits.items()}
    if kind == CATEGORICAL:
        cells = {split: texts_of(part) for split, part in parts.items()}
        texts = frame.known.categories.get(name) or _categories(frame, name, cells["train"])
        values = {split: coded(part, texts) for split, part in cells.items()}
        return TableColumn(values, texts)
    if kind in DATE_KINDS:
        form = date_form(frame, name, kind)
        if form in EPOCH_FORMS:
            a_day = EPOCH_FORMS[form]
            counts = {split: part.astype(np.float64) / a_day for split, part in parts.items()}
            return TableColumn(counts, date_form=form)
        values = {split: dated(texts_of(part), form) for split, part in parts.items()}
        return TableColumn(values, date_form=form)
    numbers = {split: part.astype(np.float64) for split, part in parts.items()}
    return TableColumn(numbers, written=frame.written.get(name, ""))


def _categories(frame: Frame, name: str, cells: Sequence[str]) -> tuple[str, ...]:
    """The training texts that have a code of their own, the most frequent first.

    The others share the code of those that no training row has, which is said.
    """
    counts = Counter(cell for cell in cells if cell)
    # Equally frequent ones by their names, so that the order of rows decides nothing.
    ordered = sorted(counts, key=lambda text: (-counts[text], text))
    frequent = tuple(text for text in ordered[:MOST_LEVELS] if counts[text] >= LEAST_ROWS)
    rare = len(ordered) - len(frequent)
    if rare:
        frame.notes.append(
            f"{rare:,} of {len(ordered):,} categories of '{name}' are rare (in a single row, or "
            f"beyond the {MOST_LEVELS} most frequent) and share a code with those never seen"
        )
    return frequent or tuple(ordered[:1])
