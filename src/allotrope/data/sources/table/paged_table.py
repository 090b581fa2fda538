"""Tables of texts that are more than the memory, read a row at a time: long texts go to disk."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from allotrope.data.cells import known_text
from allotrope.data.encodings import decoded
from allotrope.data.recognize.text_forms import is_prose
from allotrope.data.sources.held_cells import HeldCells
from allotrope.data.sources.lines.text_file import GZIP, USUAL
from allotrope.data.sources.table.delimited import (
    TextColumns,
    TextTable,
    check_first,
    check_parted,
    check_rows,
    unreadable,
)
from allotrope.data.sources.table.records import LOOKED_AT, records, separator_of, trimmed
from allotrope.data.sources.table.table_text import apart_first_line, check_kind
from allotrope.data.sources.text_keeper import NotByPage, TakenTexts, TextKeeper, is_large
from allotrope.data.store.store import raised_apart
from allotrope.data.store.stored_texts import StoredTexts, text_pages

HEAD = 4_000_000
"""Bytes by which encoding, separator and header are told."""
NO_UTF8 = "it is not all UTF-8"
Column = list[str] | StoredTexts


@dataclass(frozen=True)
class PagedTable(TextTable):
    """The first rows of a table, by which its columns are told; all others stay in its file."""

    keeper: TextKeeper

    def columns(
        self, named: TextColumns, in_memory: frozenset[str], notes: list[str], skip: bool
    ) -> TextColumns:
        """The columns, called as those of the first rows; long texts on disk but for `in_memory`.

        Raises: DataError for rows of another length, or more in memory than fits; NoRoom;
        NotByPage.
        """
        # The first row is a header if it became none of the rows that were named.
        names, header = list(named.columns), len(named) < len(self.rows)
        first = {name: cells for name, cells in named.held.items() if name not in in_memory}
        large = [names.index(name) for name, cells in first.items() if is_large(cells)]
        held = {place: HeldCells() for place in range(len(names)) if place not in large}
        with self.keeper.taking(large) as taken:
            rows = _Rows(self, len(names), header)
            for cells in raised_apart(iter(rows)):
                _add(cells, held, large, taken)
                if not len(rows.lines) % LOOKED_AT:
                    self._check(held)
            rows.check(notes, skip)
        columns = {place: self._on_disk(place, held) for place in large}
        whole = {
            name: columns[place] if place in columns else held[place].cells
            for place, name in enumerate(names)
        }
        return TextColumns(self.path, whole, rows.lines, self.separator)

    def _on_disk(self, place: int, held: dict[int, HeldCells]) -> Column:
        """A column of long texts; in memory, if all of its cells together are no prose."""
        column = self.keeper.column(place)
        if is_prose(text_pages(column)):
            return column
        held[place] = HeldCells()
        for page in text_pages(column):
            held[place].extend(page)
            self._check(held)
        return held[place].cells

    def _check(self, held: dict[int, HeldCells]) -> None:
        """Raises: DataError if the cells that are no long texts do not fit in memory."""
        self.keeper.require_for(sum(each.bytes for each in held.values()))


class _Rows:
    """Goes over the cells of each row of a table, and remembers what lines they are of."""

    def __init__(self, table: PagedTable, width: int, header: bool) -> None:
        self.table, self.width, self.header = table, width, header
        self.lines = array("q")
        self.wrong: list[tuple[int, int]] = []

    def __iter__(self) -> Iterator[list[str]]:
        all_rows = records(_lines(self.table.path), self.table.separator)
        try:
            for line, cells in islice(all_rows, int(self.header), None):
                row = trimmed(cells, self.width)
                if len(row) != self.width:
                    self.wrong.append((line, len(row)))
                    continue
                self.lines.append(line)
                yield row
        except csv.Error as error:
            raise unreadable(self.table.path, error, self.lines) from None
        except UnicodeDecodeError:
            raise NotByPage(NO_UTF8) from None

    def check(self, notes: list[str], skip: bool) -> None:
        """Raises: DataError for rows of another length, unless they are to be skipped."""
        check_rows(self.table.path, self.width, self.wrong, notes, skip)


def paged_table(path: Path, notes: list[str], keeper: TextKeeper) -> PagedTable:
    """The table by its first rows. Raises: DataError if it is none; NotByPage."""
    first = first_rows(path, notes)
    return PagedTable(first.path, first.rows, first.lines, first.separator, keeper)


def first_rows(path: Path, notes: list[str]) -> TextTable:
    """The first rows of a table. Raises: DataError if it is none; NotByPage."""
    with path.open("rb") as file:
        data = file.read(HEAD)
    check_kind(path, data)
    if data.startswith(GZIP):
        raise NotByPage("it is compressed")
    # Up to the last whole line: half a character at the end would be no UTF-8.
    whole = data[: data.rfind(b"\n") + 1] if len(data) == HEAD else data
    text, encoding = decoded(whole)
    if encoding not in USUAL:
        raise NotByPage(f"it is read as {encoding}, and not as UTF-8")
    said = apart_first_line(text.removeprefix("\ufeff"))
    separator = said.separator or separator_of(path, said.text, notes)
    first = _first(path, separator)
    rows = [trimmed(cells, len(first[0][1])) for _, cells in first]
    check_parted(path, rows)
    check_first(path, rows)
    alike = [place for place, row in enumerate(rows) if len(row) == len(rows[0])]
    lines = [first[place][0] for place in alike]
    return TextTable(path, [rows[place] for place in alike], lines, separator)


def _first(path: Path, separator: str) -> list[tuple[int, list[str]]]:
    """Lines and cells of the first rows. Raises: DataError, NotByPage."""
    first: list[tuple[int, list[str]]] = []
    try:
        first.extend(islice(records(_lines(path), separator), LOOKED_AT + 1))
    except csv.Error as error:
        raise unreadable(path, error, [line for line, _ in first]) from None
    except UnicodeDecodeError:
        raise NotByPage(NO_UTF8) from None
    if not first:
        raise NotByPage("it holds no rows")
    return first


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends; a line that only says what parts columns is empty."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, line in enumerate(file):
            if "\0" in line:
                raise NotByPage("it holds zero bytes")
            yield apart_first_line(line).text if number == 0 else line


def _add(
    cells: Sequence[str], held: dict[int, HeldCells], large: Sequence[int], taken: TakenTexts
) -> None:
    for place, each in held.items():
        each.add(cells[place])
    for place in large:
        taken.add(place, known_text(cells[place]))
