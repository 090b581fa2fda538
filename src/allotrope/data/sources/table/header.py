"""Whether the first row of a table is a header, and what its columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allotrope.data.number_forms import numbers_found
from allotrope.data.sources.table.delimited import TextColumns, TextTable, by_columns
from allotrope.data.sources.table.picture_files import looks_like_pictures
from allotrope.inputs.table.cell_numbers import MISSING, PLAIN, NumberForm, number_in

HEADLESS = ("image", "label")
"""What the columns of a table without a header are called, if they are a picture and its label."""
LOOKED_AT, LEAST_LOOKED_AT = 200, 20
"""Rows by which it is told what the columns hold, and how few do if they are wide."""
MOST_CELLS = 100_000
YEARS = (1800, 2200)


def with_header(table: TextTable, notes: list[str], reason: str | None = None) -> TextColumns:
    """The columns; the first row is their names, unless it looks as the others do.

    `reason`: why it is no header, if that was told before.
    """
    if reason is None:
        reason = why_headless(table)
    if not reason:
        return by_columns(table)
    columns = by_columns(table, header=False)
    renamed = _of_pictures(columns, table.rows[0])
    if renamed is not None:
        notes.append(f"'{table.path.name}' has no header: {reason}")
        return renamed
    notes.append(
        f"'{table.path.name}' has no header: {reason}; its columns are called col1 to "
        f"col{len(columns.columns)}. If it is one, give it names that are no numbers"
    )
    return columns


def with_header_of(table: TextTable, first: TextColumns, headless: bool) -> TextColumns:
    """The columns of a further table of one data set, called as those of its first.

    A table that repeats their names in its first row has a header, whatever the first has.
    """
    names = list(first.columns)
    if not headless or set(table.rows[0]) & set(names):
        return by_columns(table)
    columns = by_columns(table, header=False)
    if len(columns.columns) != len(names):
        return columns
    return replace(columns, columns=dict(zip(names, columns.columns.values(), strict=True)))


def why_headless(table: TextTable) -> str:
    """Why the first row is an example and no header; nothing if it may be one."""
    first = table.rows[0]
    enough = max(min(MOST_CELLS // len(first), LOOKED_AT), LEAST_LOOKED_AT)
    others = table.rows[1 : enough + 1]
    if any(looks_like_pictures([cell]) for cell in first):
        return "its first row names a picture"
    if not others or _may_be_names(first):
        return ""
    below = list(zip(*others, strict=True))
    columns = {place: numbers_found(cells) for place, cells in enumerate(below)}
    numeric = {place: each.form for place, each in columns.items() if each is not None}
    said = {place: form for place, form in numeric.items() if first[place].lower() not in MISSING}
    if said and all(_is_number(first[place], form) for place, form in said.items()):
        return "its first row holds numbers as the others do"
    if not numeric and all(cell in cells for cell, cells in zip(first, below, strict=True)):
        return "each cell of its first row stands again below"
    return ""


def _is_number(cell: str, form: NumberForm) -> bool:
    try:
        number_in(cell, form)
    except ValueError:
        return False
    return True


def _may_be_names(first: Sequence[str]) -> bool:
    """Whether numbers in a row are names of columns: 0, 1, 2, … or years."""
    numbers = [float(cell) for cell in first if PLAIN.fullmatch(cell)]
    if len(numbers) < 2 or any(number != round(number) for number in numbers):
        return False
    steps = np.diff(numbers)
    low, high = YEARS
    counted = numbers[0] in (0, 1) and bool((steps == 1).all())
    return counted or (low <= min(numbers) and max(numbers) <= high and bool((steps > 0).all()))


def _of_pictures(columns: TextColumns, first: Sequence[str]) -> TextColumns | None:
    """A picture and its label by their usual names, if there are two columns."""
    if len(first) != len(HEADLESS) or not any(looks_like_pictures([cell]) for cell in first):
        return None
    names = HEADLESS if looks_like_pictures(first[:1]) else HEADLESS[::-1]
    return replace(columns, columns=dict(zip(names, columns.columns.values(), strict=True)))
