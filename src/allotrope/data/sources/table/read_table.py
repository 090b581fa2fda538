"""Reads a table: its columns as a frame, and the pictures that some of them name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable, shown
from allotrope.data.line_titles import LineTitles
from allotrope.data.reading import PicturesFound, Reading
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked, with_split_column
from allotrope.data.recognize.input_columns import Decoded, DecodedVolumes
from allotrope.data.recognize.read_frame import asked_of, read_frame
from allotrope.data.sources.pictures.stored_pictures import Report, decoded_pictures
from allotrope.data.sources.table.delimited import TextColumns, TextTable
from allotrope.data.sources.table.header import why_headless, with_header, with_header_of
from allotrope.data.sources.table.large_table import read_columns
from allotrope.data.sources.table.patient_column import with_patients
from allotrope.data.sources.table.picture_files import (
    PictureFolder,
    find_files,
    looks_like_pictures,
)
from allotrope.data.sources.table.subject_scans import with_scans_of_subjects
from allotrope.data.sources.table.text_columns import AskedCells, add_columns
from allotrope.data.sources.table.volume_columns import (
    VolumeFolder,
    decoded_volumes,
    volume_columns,
)
from allotrope.data.store.cell_pages import PagedCells
from allotrope.data.store.kept_rows import KeepRows, rows_in_memory
from allotrope.data.store.lazy_columns import Columns, LazyColumns

DecodedFiles = Mapping[str, Decoded | DecodedVolumes]
"""What the columns that name files hold, by column."""
TRIED = 20
"""Rows by which it is told whether a column names pictures."""
DISTINCT = 0.9
"""The part of names without suffixes that are different, if they are of pictures."""


def read_tables(tables: Mapping[str, Path], options: DataOptions, report: Report) -> Reading:
    """The reading of tables by split, whose pictures and volumes lie below the tables' own folder.

    Raises: DataError, UsageError.
    """
    notes: list[str] = []
    first = tables["train"]
    asked = asked_of(options).inputs
    columns = _alike(_columns(tables, notes, options, report), notes)
    columns = {
        split: with_scans_of_subjects(first.parent, table, notes)
        for split, table in columns.items()
    }
    folder, scans = PictureFolder(first.parent), VolumeFolder(first.parent)
    volumes = volume_columns(scans, columns["train"], asked)
    # Any file that is there may be a picture by its name; what is a volume is none.
    of_volumes = dict.fromkeys(volumes, "volume")
    pictures = picture_columns(folder, columns["train"], {**asked, **of_volumes})
    if pictures or volumes:
        # What names the scans themselves tells no more than these who is a patient.
        others = [each for each in columns["train"].columns if each not in (*pictures, *volumes)]
        options = with_patients(options, others, notes)
    name = printable(first.stem if len(tables) == 1 else first.parent.resolve().name)
    separator = next(iter(columns.values())).separator
    cells = _asked_cells(options, separator == ";")
    frame = _frame(name, columns, pictures, volumes, cells, notes)
    frame.keep_rows = _keep_rows(tables, columns)

    def decoded(frame: Frame, names: list[str]) -> tuple[Frame, DecodedFiles]:
        files: DecodedFiles = {}
        parts = [[each for each in names if each in part] for part in (pictures, volumes)]
        if parts[0]:
            frame, files = _decoded(folder, options, report, frame, parts[0])
        if not parts[1]:
            return frame, files
        frame, of_volumes = decoded_volumes(scans, frame, parts[1], options, report)
        return frame, {**files, **of_volumes}

    return read_frame(frame, options, decoded)


def _asked_cells(options: DataOptions, may_be_grouped: bool) -> AskedCells:
    asked = asked_of(options)
    kinds = {**asked.inputs, **asked.tasks}
    return AskedCells(
        frozenset(name for name, kind in kinds.items() if kind == "categorical"),
        frozenset(name for name, kind in kinds.items() if kind in ("number", "regression")),
        options.decimal,
        may_be_grouped,
    )


def _columns(
    tables: Mapping[str, Path], notes: list[str], options: DataOptions, report: Report
) -> dict[str, TextColumns]:
    """The columns of each table, called as in the training table if they have no header."""
    reasons: dict[str, str] = {}

    def named(table: TextTable, notes: list[str]) -> TextColumns:
        reasons["train"] = why_headless(table)
        return with_header(table, notes, reasons["train"])

    def named_alike(table: TextTable, notes: list[str]) -> TextColumns:
        return with_header_of(table, columns["train"], bool(reasons["train"]))

    columns = {"train": read_columns(tables["train"], named, notes, options, report)}
    for split, path in tables.items():
        if split != "train":
            columns[split] = read_columns(path, named_alike, notes, options, report)
    return columns


def picture_columns(
    folder: PictureFolder, columns: TextColumns, asked: Mapping[str, str]
) -> tuple[str, ...]:
    """The columns that name pictures, or are asked for as such."""
    return tuple(
        name
        for name, cells in columns.cells.items()
        if asked.get(name) == "image" or (name not in asked and _names_pictures(folder, cells))
    )


def _alike(columns: dict[str, TextColumns], notes: list[str]) -> dict[str, TextColumns]:
    """The tables that have all columns of the training table, as one without labels has not."""
    wanted = columns["train"].columns.keys()
    for split, table in list(columns.items()):
        lacking = sorted(wanted - table.columns.keys())
        if lacking:
            listed = ", ".join(map(repr, lacking))
            notes.append(f"'{table.path.name}' has no column {listed} and is left out")
            del columns[split]
    return columns


def _names_pictures(folder: PictureFolder, cells: Sequence[str]) -> bool:
    """Whether cells are names of pictures: by their suffix, or because there are such files."""
    if looks_like_pictures(cells):
        return True
    # Labels may be called as some files are. By hashes: all texts take more than the memory.
    hashes = np.fromiter(map(hash, cells), np.int64, len(cells))
    if len(np.unique(hashes)) < DISTINCT * len(cells):
        return False
    tried = [cell for cell in cells[:TRIED] if cell]
    return bool(tried) and all(folder.find(cell)[0] is not None for cell in tried)


def _frame(
    name: str,
    tables: Mapping[str, TextColumns],
    pictures: tuple[str, ...],
    volumes: tuple[str, ...],
    asked: AskedCells,
    notes: list[str],
) -> Frame:
    """The columns by split; those of numbers as such, if their cells say so."""
    several = len(tables) > 1
    origin = {
        split: LineTitles(f"{table.path.name} line" if several else "line", table.lines)
        for split, table in tables.items()
    }
    empty = {split: _without_columns(table) for split, table in tables.items()}
    frame = Frame(name, empty, origin, pictures, volumes, True, notes=notes)
    columns = {
        column: {split: table.columns[column] for split, table in tables.items()}
        for column in tables["train"].columns
    }
    add_columns(frame, columns, asked, {split: table.keeper for split, table in tables.items()})
    return with_split_column(checked(frame))


def _keep_rows(tables: Mapping[str, Path], columns: Mapping[str, TextColumns]) -> KeepRows:
    """What puts rows on disk, if one of the tables is read from there."""
    keepers = [table.keeper for table in columns.values() if table.keeper is not None]
    if not keepers:
        return rows_in_memory
    return replace(keepers[0].keep_rows, files=list(tables.values()))


def _without_columns(table: TextColumns) -> Columns:
    """What the columns of a table are added to: those on disk are loaded one after the other."""
    paged = [cells for cells in table.columns.values() if isinstance(cells, PagedCells)]
    return LazyColumns(paged[0].starts) if paged else {}


def _decoded(
    folder: PictureFolder, options: DataOptions, report: Report, frame: Frame, names: list[str]
) -> tuple[Frame, Mapping[str, Decoded]]:
    """The pictures of these columns, and the frame without rows of which one cannot be read."""
    files = {name: find_files(folder, frame, name) for name in names}
    parts = np.array([split for split, part in frame.splits.items() for _ in part[names[0]]])
    decoded = {
        name: decoded_pictures(folder.folder, paths, parts.tolist(), options, report)
        for name, paths in files.items()
    }
    readable = np.logical_and.reduce(
        [np.isin(np.arange(len(parts)), facts["rows"]) for _, facts in decoded.values()]
    )
    for _, facts in decoded.values():
        frame.notes.extend(note for note in facts["notes"] if note not in frame.notes)
        frame.unreadable.extend(facts["unreadable"])
    titles = np.array([shown(path, folder.folder) for path in files[names[0]]])
    rows = {split: np.flatnonzero(readable & (parts == split)) for split in frame.splits}
    starts = {split: int(np.argmax(parts == split)) for split in frame.splits}
    frame = frame.take({split: places - starts[split] for split, places in rows.items()})
    frame.origin = {split: tuple(titles[places].tolist()) for split, places in rows.items()}
    return frame, {name: _by_split(*each, rows) for name, each in decoded.items()}


def _by_split(pixels: np.ndarray, facts: dict[str, Any], rows: Mapping[str, np.ndarray]) -> Decoded:
    """The pixels of each split's rows; `pixels` has those of `facts["rows"]` alone."""
    places = {split: np.searchsorted(facts["rows"], taken) for split, taken in rows.items()}
    images = {split: pixels.take(taken, axis=0) for split, taken in places.items()}
    sizes = {(height, width): count for height, width, count in facts["sizes"]}
    value_range = facts["value_range"] and tuple(facts["value_range"])
    return Decoded(images, PicturesFound(sizes, facts["modes"]), value_range)
