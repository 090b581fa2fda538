"""The columns of a table, read by page if it is more than is held in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.sources.lines.text_file import SPLIT_IT, text_size
from allotrope.data.sources.table.delimited import (
    MEMORY_PER_BYTE,
    TextColumns,
    TextTable,
    read_delimited,
)
from allotrope.data.sources.table.paged_table import first_rows, paged_table
from allotrope.data.sources.text_keeper import (
    NotByPage,
    TextKeeper,
    check_by_page,
    columns_in_memory,
)
from allotrope.data.store.store import NoRoom, Store
from allotrope.memory_limit import data_limit

Report = Callable[[str], None]
Named = Callable[[TextTable, list[str]], TextColumns]
"""named(table, notes): the columns of a table, of which the first rows are enough, by their names.
"""


def read_columns(
    path: Path, named: Named, notes: list[str], options: DataOptions, report: Report
) -> TextColumns:
    """The columns of a table, on disk if all of it is more than is held in memory.

    Raises: DataError if it is no table, or is to be held in memory and does not fit there.
    """
    skip = options.skip_bad_rows
    in_memory = columns_in_memory(options)
    how = "table", skip, tuple(sorted(in_memory))
    title = f"'{printable(path.name)}'"
    store = Store.asked_for(options.cache_size)
    size = None if store is None else text_size(path, store.size)
    keeper = TextKeeper.of_large(
        path.parent, [path], title, MEMORY_PER_BYTE, how, options, report, "cells", size
    )
    remedy = SPLIT_IT
    if keeper is not None:
        own: list[str] = []
        try:
            check_by_page(options)
            table = paged_table(path, own, keeper)
            columns = table.columns(named(table, own), in_memory, own, skip)
        except (NotByPage, NoRoom) as error:
            remedy = f"It cannot be read by page either: {error}."
        else:
            notes.extend(own)
            return columns
    return named(read_delimited(path, notes, skip, remedy, options.encoding), notes)


def told_by(path: Path, encoding: str | None) -> TextTable:
    """What tells the columns of a table: all of it, or the first rows if it is read by page.

    Raises: DataError if it is no table.
    """
    most = data_limit() // MEMORY_PER_BYTE
    if text_size(path, most) > most:
        with suppress(NotByPage):
            return first_rows(path, [])
    return read_delimited(path, [], encoding=encoding)
