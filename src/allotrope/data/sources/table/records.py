"""Rows of cells of a table in text, and what parts its columns."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from allotrope.data.sources.table.table_text import table_suffix

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
LOOKED_AT = 200
"""Rows by which the separator is told."""
LARGEST_CELL = 16_000_000
"""Characters of a cell, which may be a long text; Python's own limit is 131,072."""


def records(lines: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not empty; `lines` have their ends."""
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    before = 0
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield before + 1, cells
        before = reader.line_num


def lines_of(text: str) -> Iterable[str]:
    """The lines of a text with their ends."""
    return io.StringIO(text, newline="")


def trimmed(row: list[str], width: int) -> list[str]:
    """The row without empty cells behind the last column of all."""
    return row if len(row) == width or any(row[width:]) else row[:width]


def separator_of(path: Path, text: str, notes: list[str]) -> str:
    """What tells columns apart, which is said if it is not the usual one."""
    separator = _separator(path, text)
    say_separator(path, separator, notes)
    return separator


def say_separator(path: Path, separator: str, notes: list[str]) -> None:
    """Adds a note if the separator is not what the file's name says."""
    usual = "," if table_suffix(path) == ".csv" else "\t"
    if separator != usual:
        named = SEPARATORS.get(separator, f"'{separator}'")
        notes.append(f"the columns of '{path.name}' are told apart by {named}")


def _separator(path: Path, text: str) -> str:
    """What gives most columns in rows that are equally long."""
    if table_suffix(path) != ".csv":
        return "\t"
    candidates = {}
    for separator in SEPARATORS:
        lengths = Counter[int]()
        with suppress(csv.Error):  # what came before tells enough; reading all says what is wrong
            first = islice(records(lines_of(text), separator), LOOKED_AT)
            lengths.update(len(row) for _, row in first)
        if lengths:
            length, count = lengths.most_common(1)[0]
            candidates[separator] = (length > 1 and count / lengths.total() > 0.9, length)
    return max(candidates, key=lambda separator: candidates[separator]) if candidates else ","
