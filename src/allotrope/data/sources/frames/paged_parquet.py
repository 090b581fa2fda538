"""Parquet files that are more than the memory: a column after the other goes to disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.sources.frames.data_frames import FrameColumns, check_read
from allotrope.data.sources.frames.parquet import (
    MEMORY_PER_BYTE,
    bytes_in,
    names_in,
    read_parquet,
    rows_in,
)
from allotrope.data.sources.text_keeper import NotByPage, TextKeeper
from allotrope.data.store.array_pages import ArrayPagesWriter, columns_in, page_starts
from allotrope.data.store.kept_rows import KeepRows, rows_in_memory
from allotrope.data.store.lazy_columns import Columns
from allotrope.data.store.run_file import RunFile
from allotrope.data.store.store import NoRoom, Stored

Report = Callable[[str], None]
KEY = "columns"


def parquet_columns(
    paths: Sequence[Path], options: DataOptions, report: Report
) -> tuple[Columns, dict[str, tuple[str, ...]], KeepRows]:
    """The columns of files one after the other, on disk if they are more than is held in memory.

    And the labels of columns of lists, and what puts rows on disk.
    Raises: as `read_parquet`, and DataError for a column that does not fit in memory.
    """
    keeper = _keeper(paths, options, report)
    if keeper is not None:
        try:
            return _by_page(paths, keeper)
        except (NoRoom, NotByPage) as error:
            keeper.require_memory(error)
    columns = read_parquet(*paths)
    return dict(columns), columns.labels, rows_in_memory


def _keeper(paths: Sequence[Path], options: DataOptions, report: Report) -> TextKeeper | None:
    """A place on disk for the columns, if they are more than is held in memory."""
    size = sum(map(bytes_in, paths))
    first, how = paths[0], ("parquet", *(path.name for path in paths))
    place = first if len(paths) == 1 else first.parent.resolve()
    title = f"'{printable(place.name)}'"
    return TextKeeper.of_large(
        first.parent, paths, title, MEMORY_PER_BYTE, how, options, report, "cells", size
    )


def _by_page(
    paths: Sequence[Path], keeper: TextKeeper
) -> tuple[Columns, dict[str, tuple[str, ...]], KeepRows]:
    stored = keeper.opened(KEY) or _written(paths, keeper)
    labels = {name: tuple(those) for name, those in stored.facts["labels"].items()}
    columns = columns_in(cast(RunFile, stored.rows.file), stored.facts)
    return columns, labels, keeper.keep_rows


def _written(paths: Sequence[Path], keeper: TextKeeper) -> Stored:
    """All columns, put where they are read from. Raises: DataError, NoRoom."""
    starts = page_starts(sum(map(rows_in, paths)))
    problems: dict[str, str] = {}
    with keeper.taking([KEY]) as taken:
        writer = ArrayPagesWriter(starts, partial(taken.add_bytes, KEY))
        labels: dict[str, tuple[str, ...]] = {}
        for name in names_in(paths):
            # All files together: a type is that of all parts, as it is in memory.
            columns: FrameColumns = read_parquet(*paths, columns=[name], problems=problems)
            labels |= columns.labels
            for column, array in columns.items():
                _append(writer, column, array)
        check_read(problems)
        taken.facts.update(writer.facts, labels=labels)
    stored = keeper.opened(KEY)
    if stored is None:
        raise NoRoom(f"columns that were written to {keeper.store.folder} are not there")
    return stored


def _append(writer: ArrayPagesWriter, name: str, column: np.ndarray) -> None:
    try:
        writer.append(name, column)
    except ValueError as error:
        raise NotByPage(f"'{name}': {error}") from None
