"""Tables that lie in a folder: with pictures that they name, or alone, a table a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from allotrope.config import DataOptions
from allotrope.data.sources.folder.folder_layout import find_layout
from allotrope.data.sources.folder.tree import scan
from allotrope.data.sources.split_files import one_each, splits_alone, visible_files
from allotrope.data.sources.table.delimited import TextColumns
from allotrope.data.sources.table.header import with_header
from allotrope.data.sources.table.large_table import told_by
from allotrope.data.sources.table.picture_files import PictureFolder
from allotrope.data.sources.table.read_table import picture_columns
from allotrope.data.sources.table.subject_scans import subject_column
from allotrope.data.sources.table.table_text import is_table
from allotrope.data.sources.table.volume_columns import VolumeFolder, volume_columns
from allotrope.data.sources.volumes.volume_folders import labelled_scans
from allotrope.errors import DataError


@dataclass(frozen=True)
class Tables:
    """The tables to read by split, none if the folder is to be read by its class folders.

    `notes` are about them, or about those that are not read.
    """

    chosen: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def tables_to_read(folder: Path, options: DataOptions) -> Tables:
    """The tables right in a folder, if its pictures are told by them, or there are none.

    If class folders say the classes, a table is read only if columns are asked for.
    Raises: DataError if there are several tables that are not told apart by their names.
    """
    naming = _naming(folder, _names_pictures, options)
    if not naming and next(iter(scan(folder).root.below()), None) is None:
        tables = _tables(folder)
        return _chosen(folder, tables) if tables else Tables()
    if not naming:
        return Tables()
    asked = bool(options.target or options.task or options.input)
    if not asked and (options.layout != "auto" or _has_classes(folder)):
        return _passed_over(naming, "pictures")
    return _chosen(folder, naming)


def volume_tables_to_read(folder: Path, options: DataOptions) -> Tables:
    """The same for a folder of volumes: whether they lie in class folders is asked of these."""
    subjects = _naming(folder, _names_subjects, options)
    if subjects:
        return _chosen(folder, subjects)
    naming = _naming(folder, _names_volumes, options)
    if not naming:
        return Tables()
    asked = bool(options.target or options.task or options.input)
    if not asked and _has_scans_by_class(folder):
        return _passed_over(naming, "volumes")
    return _chosen(folder, naming)


def _passed_over(naming: Sequence[Path], files: str) -> Tables:
    names = ", ".join(f"'{path.name}'" for path in naming)
    note = f"{names} names {files} too; to learn from it, name that file instead of the folder"
    return Tables(notes=(note,))


def _naming(
    folder: Path, names_files: Callable[[Path, TextColumns], bool], options: DataOptions
) -> list[Path]:
    """The tables right in the folder of which a column names such files in it."""
    naming = []
    for path in _tables(folder):
        # It may be about anything; named itself, it would be said what is wrong.
        with suppress(DataError):
            if names_files(folder, with_header(told_by(path, options.encoding), [])):
                naming.append(path)
    return naming


def _tables(folder: Path) -> list[Path]:
    return visible_files(folder, is_table)


def _names_pictures(folder: Path, columns: TextColumns) -> bool:
    return bool(picture_columns(PictureFolder(folder), columns, {}))


def _names_volumes(folder: Path, columns: TextColumns) -> bool:
    return bool(volume_columns(VolumeFolder(folder), columns, {}))


def _names_subjects(folder: Path, columns: TextColumns) -> bool:
    return bool(subject_column(folder, columns))


def _has_scans_by_class(folder: Path) -> bool:
    try:
        return len({scan.label for scan in labelled_scans(folder)}) > 1
    except DataError:
        return False


def _has_classes(folder: Path) -> bool:
    try:
        return len(find_layout(folder).classes) > 1
    except DataError:
        return False


def _chosen(folder: Path, tables: Sequence[Path]) -> Tables:
    splits = splits_alone(folder, tables, "tables")
    return Tables(one_each(folder, splits), tuple(filter(None, [splits.said])))
