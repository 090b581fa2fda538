"""Single columns of a frame as columns of a row of numbers and codes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from allotrope.data.recognize.date_order import DATE_KINDS, date_form
from allotrope.data.recognize.frame import Frame
from allotrope.inputs.table.cell_codes import EPOCH_FORMS, coded, dated, texts_of
from allotrope.inputs.table.column_statistics import LEAST_ROWS, MOST_LEVELS

CATEGORICAL = "categorical"


@dataclass(frozen=True)
class TableColumn:
    """What makes numbers of cells: the texts that have codes, or the form of dates or numbers."""

    texts: tuple[str, ...] = ()
    date_form: str = ""
    written: str = ""
    coded: bool = False

    def values(self, cells: np.ndarray) -> np.ndarray:
        """Numbers float64 [n] of cells [n], of all rows or of some: each is made for itself."""
        if self.coded:
            return coded(texts_of(cells), self.texts)
        if self.date_form in EPOCH_FORMS:
            return cells.astype(np.float64) / EPOCH_FORMS[self.date_form]
        if self.date_form:
            return dated(texts_of(cells), self.date_form)
        return cells.astype(np.float64)


def table_column(frame: Frame, name: str, kind: str) -> TableColumn:
    """The column of this name, of one of the kinds `number`, `categorical` and those of dates."""
    if kind == CATEGORICAL:
        texts = frame.known.categories.get(name) or _categories(frame, name)
        return TableColumn(texts, coded=True)
    if kind in DATE_KINDS:
        return TableColumn(date_form=date_form(frame, name, kind))
    return TableColumn(written=frame.written.get(name, ""))


def table_values(frame: Frame, name: str, column: TableColumn) -> dict[str, np.ndarray]:
    """The numbers of a column by split, float64 [n]."""
    return {split: column.values(columns[name]) for split, columns in frame.splits.items()}


def _categories(frame: Frame, name: str) -> tuple[str, ...]:
    """The training texts that have a code of their own, the most frequent first.

    The others share the code of those that no training row has, which is said.
    """
    counts = Counter(cell for cell in texts_of(frame.splits["train"][name]) if cell)
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
