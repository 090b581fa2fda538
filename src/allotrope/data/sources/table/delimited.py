"""Tables of texts, as comma- or tab-separated files hold them; the files are hostile."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from allotrope.data.sources.lines.text_file import SPLIT_IT
from allotrope.data.sources.table.records import (
    LOOKED_AT,
    SEPARATORS,
    lines_of,
    records,
    say_separator,
    separator_of,
    trimmed,
)
from allotrope.data.sources.table.table_text import read_table_text
from allotrope.data.sources.text_keeper import TextKeeper
from allotrope.data.store.stored_texts import StoredTexts
from allotrope.errors import DataError
from allotrope.wording import counted

STRANGE = "^~:# "
"""What may part cells in other files, and is not taken to."""
MEMORY_PER_BYTE = 10
"""What Python needs for a byte of text in short cells, at the most."""
ROWS_SHOWN = 5
MOSTLY, SHOWN = 0.5, 60


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
    """A table by columns: `columns` has the cells of each, `lines` the line of each row.

    Long texts may lie on disk, and cells by page; `keeper` puts there what is made of these.
    """

    path: Path
    columns: Mapping[str, Sequence[str] | StoredTexts]
    lines: Sequence[int] | np.ndarray
    separator: str = ","
    keeper: TextKeeper | None = None

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lines)

    def take(self, rows: Sequence[int]) -> TextColumns:
        """These rows only."""
        columns = {name: _taken(cells, rows) for name, cells in self.columns.items()}
        return replace(self, columns=columns, lines=[self.lines[row] for row in rows])

    @property
    def cells(self) -> dict[str, Sequence[str]]:
        """The columns but for those of long texts on disk."""
        return {
            name: cells
            for name, cells in self.columns.items()
            if not isinstance(cells, StoredTexts)
        }


def _taken(cells: Sequence[str] | StoredTexts, rows: Sequence[int]) -> Sequence[str] | StoredTexts:
    if isinstance(cells, StoredTexts):
        return cells.take(np.asarray(rows, np.int64))
    held = list(cells)
    return [held[row] for row in rows]


def read_delimited(
    path: Path,
    notes: list[str],
    skip_bad_rows: bool = False,
    remedy: str = SPLIT_IT,
    encoding: str | None = None,
) -> TextTable:
    """The rows of a table; what was guessed of encoding and separator is added to `notes`.

    `remedy`: what is said if it does not fit in memory.

    Raises: DataError if it is no table, or rows differ in length and are not to be skipped.
    """
    read = read_table_text(path, notes, MEMORY_PER_BYTE, remedy, encoding)
    separator = read.separator
    if separator:
        say_separator(path, separator, notes)
    else:
        separator = separator_of(path, read.text, notes)
    rows, lines = _rows(path, read.text, separator)
    if not rows:
        raise DataError(f"{path}: holds no rows; expected a header and a row for each example.")
    check_parted(path, rows)
    rows, lines = _of_one_length(path, rows, lines, notes, skip_bad_rows)
    return TextTable(path, rows, lines, separator)


def check_parted(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Raises: DataError for rows of a single cell in which a mark stands equally often."""
    first = [row[0] for row in rows[:LOOKED_AT]]
    if any(len(row) > 1 for row in rows[:LOOKED_AT]) or len(first) < 2:
        return
    for mark in STRANGE:
        count = first[0].count(mark)
        if count and all(cell.count(mark) == count for cell in first):
            shown = "spaces" if mark == " " else f"'{mark}'"
            raise DataError(
                f"{path}: has a single column, in which {shown} may part cells. Expected "
                f"{', '.join(SEPARATORS.values())}, or a first line sep={mark} that says so."
            )


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


def _rows(path: Path, text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for line, cells in records(lines_of(text), separator):
            rows.append(cells)
            lines.append(line)
    except csv.Error as error:
        raise unreadable(path, error, lines) from None
    return rows, lines


def unreadable(path: Path, error: csv.Error, lines: Sequence[int]) -> DataError:
    """What is said of a table behind whose `lines` there is no row."""
    after = f" after line {lines[-1]}" if lines else ""
    return DataError(
        f"{path}: cannot be read{after}: {error}. Expected a row a line, and cells with "
        "line breaks or quotes in quotes."
    )


def _of_one_length(
    path: Path, rows: list[list[str]], lines: list[int], notes: list[str], skip: bool
) -> tuple[list[list[str]], list[int]]:
    """The rows and their lines, without empty cells behind the last column of all.

    Raises: DataError for rows of another length, which may be skipped, each said.
    """
    width = len(rows[0])
    shortened = [trimmed(row, width) for row in rows]
    wrong = [place for place, row in enumerate(shortened) if len(row) != width]
    if not wrong:
        return shortened, lines
    check_first(path, shortened)
    check_rows(path, width, [(lines[at], len(shortened[at])) for at in wrong], notes, skip)
    left_out = set(wrong)
    places = [place for place in range(len(rows)) if place not in left_out]
    return [shortened[place] for place in places], [lines[place] for place in places]


def check_rows(
    path: Path, width: int, wrong: Sequence[tuple[int, int]], notes: list[str], skip: bool
) -> None:
    """Raises: DataError for rows of another length, (line, cells), unless they are left out."""
    if not wrong:
        return
    listed = [f"line {line} has {count}" for line, count in wrong[:ROWS_SHOWN]]
    more = ""
    if len(wrong) > ROWS_SHOWN:
        more = f" and {counted(len(wrong) - ROWS_SHOWN, 'more row')}"
    said = (
        f"rows differ in length: the first has {counted(width, 'cell')}, {', '.join(listed)}{more}"
    )
    if not skip:
        raise DataError(
            f"{path}: {said}. Put cells that hold the separator in quotes, leave missing cells "
            "empty, or leave these rows out with --skip-bad-rows."
        )
    notes.append(f"{counted(len(wrong), 'row')} left out, as was asked for: {said}")


def check_first(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Raises: DataError if the first row is the odd one, as a title above the header is."""
    lengths = Counter(len(row) for row in rows)
    length, count = lengths.most_common(1)[0]
    if length > len(rows[0]) and count > MOSTLY * len(rows):
        raise DataError(
            f"{path}: the first row has {counted(len(rows[0]), 'cell')} "
            f"({', '.join(rows[0])[:SHOWN]!r}), and nearly all others have {length}. Remove what "
            "stands above the header."
        )
