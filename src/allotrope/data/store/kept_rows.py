"""Rows of a table as a network takes them: in memory, or on disk if they are more than that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from allotrope.config import bytes_text
from allotrope.data.store.lazy_columns import Columns, LazyColumns, count_of, pages_of
from allotrope.data.store.row_file import RowFile
from allotrope.data.store.source_key import source_key
from allotrope.data.store.store import NoRoom, Report, Store, raised_apart
from allotrope.data.store.store_folder import ROWS_OF_TABLES
from allotrope.data.store.store_writer import writing_entry
from allotrope.data.store.stored_rows import StoredRows, as_column
from allotrope.memory_limit import data_limit, fits, require_memory

NUMBER = np.dtype(np.float32)


class MakesNumbers(Protocol):
    """What a column of cells is in a row of numbers; its repr says all of that."""

    def values(self, cells: np.ndarray) -> np.ndarray:
        """Numbers float64 [n] of cells [n]."""


@dataclass(frozen=True)
class TableRows:
    """Rows float32 [n, len(columns)] by split, that are made of columns of cells by page."""

    splits: Mapping[str, Columns]
    columns: Mapping[str, MakesNumbers]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows each split has."""
        return {split: count_of(part) for split, part in self.splits.items()}

    @property
    def bytes(self) -> int:
        """What all of them take."""
        return sum(self.counts.values()) * len(self.columns) * NUMBER.itemsize

    def pages(self, split: str) -> Iterator[np.ndarray]:
        """The rows of a split, some at a time."""
        for page in pages_of(self.splits[split]):
            numbers = [one.values(page[name]) for name, one in self.columns.items()]
            yield np.stack(numbers, 1).astype(NUMBER)

    def digest(self) -> str:
        """A hash over which rows of their files these are, and what is made of them."""
        state = hashlib.blake2b(repr(dict(self.columns)).encode(), digest_size=16)
        for split, part in self.splits.items():
            # Splits of one file differ in nothing but their rows.
            state.update(split.encode())
            # What lies in memory may be any choice of a file's rows, and is little.
            chosen = (part.rows,) if isinstance(part, LazyColumns) else self.pages(split)
            for array in chosen:
                state.update(np.ascontiguousarray(array).data)
        return state.hexdigest()


KeepRows = Callable[[TableRows], Mapping[str, np.ndarray]]
"""keep(rows): the rows by split, arrays or what stands for some of them on disk."""


def rows_in_memory(rows: TableRows) -> dict[str, np.ndarray]:
    """All of them. Raises: DataError if they do not fit."""
    require_memory(rows.bytes, "the rows of a table", "Leave columns out by --input NAME=none.")
    return {split: _whole(rows, split) for split in rows.splits}


def _whole(rows: TableRows, split: str) -> np.ndarray:
    if not isinstance(rows.splits[split], LazyColumns):
        (whole,) = rows.pages(split)
        return whole
    whole, start = np.empty((rows.counts[split], len(rows.columns)), NUMBER), 0
    for page in rows.pages(split):
        whole[start : start + len(page)] = page
        start += len(page)
    return whole


@dataclass(frozen=True)
class RowKeeper:
    """Puts rows of the table called `title`, of files below a folder, on disk if they are many."""

    store: Store
    root: Path
    files: Sequence[Path]
    title: str
    report: Report

    def __call__(self, rows: TableRows) -> Mapping[str, np.ndarray]:
        """The rows by split. Raises: DataError if they fit neither in memory nor on disk."""
        if fits(rows.bytes):
            return rows_in_memory(rows)
        try:
            file = self._file(rows)
        except NoRoom as error:
            self.report(f"rows are held in memory, as they are not kept on disk: {error}")
            return rows_in_memory(rows)
        ends = np.cumsum([0, *rows.counts.values()])
        places = zip(rows.splits, ends[:-1], ends[1:], strict=True)
        return {
            split: as_column(StoredRows(file, np.arange(start, end)))
            for split, start, end in places
        }

    def _file(self, rows: TableRows) -> RowFile:
        """The rows of all splits, one after the other. Raises: NoRoom."""
        key = source_key(ROWS_OF_TABLES, self.root, self.files, rows.digest())
        if self.store.opened(key, self.report) is None:
            self._write(key, rows)
        stored = self.store.opened(key, self.report)
        if stored is None or not isinstance(stored.rows.file, RowFile):
            raise NoRoom(f"rows that were written to {self.store.folder} are not there")
        return stored.rows.file

    def _write(self, key: str, rows: TableRows) -> None:
        self.store.check_room(rows.bytes)
        self.report(
            f"the rows of {self.title} take {bytes_text(rows.bytes)} as numbers and more than the "
            f"{bytes_text(data_limit())} that are held in memory; they are kept in "
            f"{self.store.folder} and read from disk in training (--cache-size says how much may "
            "lie there, 0 holds all in memory)"
        )
        shape = (len(rows.columns),)
        with (
            self.store.refusals(),
            writing_entry(self.store.folder / key, shape, NUMBER) as writer,
        ):
            # Split after split, so that each is a run of rows in the file.
            for split in rows.splits:
                for page in raised_apart(rows.pages(split)):
                    writer.extend(page)
            writer.finish({"title": self.title})
