"""Tables of texts, as comma- or tab-separated files hold them; the files are hostile."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from allotrope.data.encodings import decoded
from allotrope.errors import DataError
from allotrope.memory_limit import require_memory
from allotrope.wording import counted

SUFFIXES = (".csv", ".tsv", ".tab")
SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
LOOKED_AT = 200
"""Rows by which the separator is told."""
MEMORY_PER_BYTE = 10
"""What Python needs for a byte of text in short cells, at the most."""
ROWS_SHOWN = 5
LARGEST_CELL = 16_000_000
"""Characters of a cell, which may be a long text; Python's own limit is 131,072."""


@dataclass(frozen=True)
class TextTable:
    """Cells [rows][columns] without spaces around them, and the line in the file of each row.

    `header` is the first row, which `with_header` decides about.
    """

    path: Path
    rows: list[list[str]]
    lines: list[int]
    separator: str


@dataclass(frozen=True)
class TextColumns:
    """A table by columns: `columns` has the cells of each, `lines` the line of each row."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]
    separator: str = ","

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lines)

    def take(self, rows: Sequence[int]) -> TextColumns:
        """These rows only."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return replace(self, columns=columns, lines=[self.lines[row] for row in rows])


def read_delimited(path: Path, notes: list[str]) -> TextTable:
    """The rows of a table; what was guessed of encoding and separator is added to `notes`.

    Raises: DataError if it is no table, or rows differ in length.
    """
    size = path.stat().st_size
    require_memory(size * MEMORY_PER_BYTE, str(path), "Split it into several files.")
    text, encoding = decoded(path.read_bytes())
    text = text.removeprefix("\ufeff")
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"'{path.name}' was read as {encoding}; save it as UTF-8 if it looks wrong")
    if "\0" in text:
        raise DataError(f"{path}: holds zero bytes; expected a table in text.")
    separator = _separator(path, text)
    if separator != ("\t" if path.suffix.lower() != ".csv" else ","):
        notes.append(f"the columns of '{path.name}' are told apart by {SEPARATORS[separator]}")
    rows, lines = _rows(path, text, separator)
    if not rows:
        raise DataError(f"{path}: holds no rows; expected a header and a row for each example.")
    return TextTable(path, _of_one_length(path, rows, lines), lines, separator)


def by_columns(table: TextTable, header: bool = True) -> TextColumns:
    """The columns by the names in the first row, or by their numbers if it is no header.

    Raises: DataError if two have one name, or there is no row below the header.
    """
    width = len(table.rows[0])
    names = table.rows[0] if header else [""] * width
    names = [name or f"col{number}" for number, name in enumerate(names, 1)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        listed = ", ".join(f"'{name}'" for name in repeated)
        raise DataError(f"{table.path}: several columns are called {listed}. Rename them.")
    start = int(header)
    if len(table.rows) == start:
        raise DataError(f"{table.path}: holds a header and no rows.")
    cells = list(zip(*table.rows[start:], strict=True))
    columns = {name: list(column) for name, column in zip(names, cells, strict=True)}
    return TextColumns(table.path, columns, table.lines[start:], table.separator)


def _separator(path: Path, text: str) -> str:
    """What tells columns apart: what gives most columns in rows that are equally long."""
    if path.suffix.lower() != ".csv":
        return "\t"
    candidates = {}
    for separator in SEPARATORS:
        lengths = Counter[int]()
        with suppress(csv.Error):  # what came before tells enough; reading all says what is wrong
            lengths.update(len(row) for _, row in islice(_records(text, separator), LOOKED_AT))
        if lengths:
            length, count = lengths.most_common(1)[0]
            candidates[separator] = (length > 1 and count / lengths.total() > 0.9, length)
    return max(candidates, key=lambda separator: candidates[separator]) if candidates else ","


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not empty."""
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield before + 1, cells
        before = reader.line_num


def _rows(path: Path, text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for line, cells in _records(text, separator):
            rows.append(cells)
            lines.append(line)
    except csv.Error as error:
        after = f" after line {lines[-1]}" if lines else ""
        raise DataError(
            f"{path}: cannot be read{after}: {error}. Expected a row a line, and cells with "
            "line breaks or quotes in quotes."
        ) from None
    return rows, lines


def _of_one_length(path: Path, rows: list[list[str]], lines: list[int]) -> list[list[str]]:
    """The rows, without empty cells behind the last column of all."""
    width = len(rows[0])
    trimmed = [row[:width] if not any(row[width:]) else row for row in rows]
    wrong = [
        f"line {line} has {len(row)}"
        for row, line in zip(trimmed, lines, strict=True)
        if len(row) != width
    ]
    if wrong:
        more = ""
        if len(wrong) > ROWS_SHOWN:
            more = f" and {counted(len(wrong) - ROWS_SHOWN, 'more row')}"
        raise DataError(
            f"{path}: rows differ in length: the first has {counted(width, 'cell')}, "
            f"{', '.join(wrong[:ROWS_SHOWN])}{more}. Put cells that hold the separator in quotes, "
            "and leave missing cells empty."
        )
    return trimmed
