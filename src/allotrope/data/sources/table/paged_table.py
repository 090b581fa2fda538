"""Tables of texts that are more than the memory, read a row at a time: their cells go to disk."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

from allotrope.data.cells import known_text
from allotrope.data.encodings import decoded
from allotrope.data.file_text import USUAL
from allotrope.data.recognize.text_forms import is_prose
from allotrope.data.sources.held_cells import HeldCells
from allotrope.data.sources.lines.text_file import opened, opened_text
from allotrope.data.sources.table.delimited import (
    TextColumns,
    TextTable,
    check_first,
    check_parted,
    check_rows,
    unreadable,
)
from allotrope.data.sources.table.records import LOOKED_AT, records, separator_of, trimmed
from allotrope.data.sources.table.table_text import (
    apart_first_line,
    check_kind,
    check_packed_once,
)
from allotrope.data.sources.text_keeper import NotByPage, TextKeeper, is_large
from allotrope.data.store.cell_pages import CellPages, CellPagesWriter, PagedCells
from allotrope.data.store.run_file import RunFile
from allotrope.data.store.store import NoRoom, Stored, raised_apart
from allotrope.data.store.stored_texts import StoredTexts, text_pages

HEAD = 4_000_000
"""Bytes by which encoding, separator and header are told."""
NO_UTF8 = "it is not all UTF-8"
Column = Sequence[str] | StoredTexts


@dataclass(frozen=True)
class PagedTable(TextTable):
    """The first rows of a table, by which its columns are told; all others stay in its file."""

    keeper: TextKeeper

    def columns(
        self, named: TextColumns, in_memory: frozenset[str], notes: list[str], skip: bool
    ) -> TextColumns:
        """The columns, called as those of the first rows, all on disk.

        Long texts lie there one by one, but for those of `in_memory`, and other cells by page.
        Raises: DataError for rows of another length; NoRoom; NotByPage.
        """
        # The first row is a header if it became none of the rows that were named.
        names, header = list(named.columns), len(named) < len(self.rows)
        first = {name: cells for name, cells in named.cells.items() if name not in in_memory}
        large = [names.index(name) for name, cells in first.items() if is_large(cells)]
        others = [place for place in range(len(names)) if place not in large]
        key = "cells", header, tuple(others)
        stored = self._stored(key, large)
        if stored is None:
            self._write(_Rows(self, len(names), header), key, large, others, skip)
            stored = self._stored(key, large)
        if stored is None:
            raise NoRoom(f"cells that were written to {self.keeper.store.folder} are not there")
        check_rows(self.path, len(names), stored.facts["wrong"], notes, skip)
        cells = CellPages.of(cast(RunFile, stored.rows.file), len(others))
        columns: dict[int, Column] = {place: self._texts(place) for place in large}
        columns |= {place: PagedCells(cells, at) for at, place in enumerate(others)}
        whole = {name: columns[place] for place, name in enumerate(names)}
        return TextColumns(self.path, whole, cells.lines(), self.separator, self.keeper)

    def _stored(self, key: object, large: Sequence[int]) -> Stored | None:
        """The cells that were put there before, if the long texts were, too."""
        if any(self.keeper.opened(place) is None for place in large):
            return None
        return self.keeper.opened(key)

    def _write(
        self, rows: _Rows, key: object, large: Sequence[int], others: Sequence[int], skip: bool
    ) -> None:
        """Put the cells of all rows where they are read from.

        Raises: DataError for rows of another length, unless they are to be skipped.
        """
        with self.keeper.taking([*large, key]) as taken:
            pages = CellPagesWriter(len(others), partial(taken.add_bytes, key))
            for line, cells in raised_apart(iter(rows)):
                pages.append(line, [cells[place] for place in others])
                for place in large:
                    taken.add(place, known_text(cells[place]))
            pages.finish()
            # Before all is finished: nothing is left of a table that is refused.
            check_rows(self.path, rows.width, rows.wrong, [], skip)
            taken.facts["wrong"] = rows.wrong

    def _texts(self, place: int) -> Column:
        """A column of long texts; in memory, if all of its cells together are no prose."""
        column = self.keeper.column(place)
        if is_prose(text_pages(column)):
            return column
        held = HeldCells()
        for page in text_pages(column):
            held.extend(page)
            self.keeper.require_for(held.bytes)
        return held.cells


class _Rows:
    """Goes over the line and the cells of each row of a table, and remembers which are wrong."""

    def __init__(self, table: PagedTable, width: int, header: bool) -> None:
        self.table, self.width, self.header = table, width, header
        self.last: list[int] = []
        self.wrong: list[tuple[int, int]] = []

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        all_rows = records(_lines(self.table.path), self.table.separator)
        try:
            for line, cells in islice(all_rows, int(self.header), None):
                row = trimmed(cells, self.width)
                if len(row) != self.width:
                    self.wrong.append((line, len(row)))
                    continue
                self.last = [line]
                yield line, row
        except csv.Error as error:
            raise unreadable(self.table.path, error, self.last) from None
        except UnicodeDecodeError:
            raise NotByPage(NO_UTF8) from None


def paged_table(path: Path, notes: list[str], keeper: TextKeeper) -> PagedTable:
    """The table by its first rows. Raises: DataError if it is none; NotByPage."""
    first = first_rows(path, notes)
    return PagedTable(first.path, first.rows, first.lines, first.separator, keeper)


def first_rows(path: Path, notes: list[str]) -> TextTable:
    """The first rows of a table. Raises: DataError if it is none; NotByPage."""
    with opened(path) as file:
        data = file.read(HEAD)
    check_packed_once(path, data)
    check_kind(path, data)
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
    with opened_text(path, newline="") as file:
        for number, line in enumerate(file):
            if "\0" in line:
                raise NotByPage("it holds zero bytes")
            yield apart_first_line(line).text if number == 0 else line
