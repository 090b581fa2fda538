"""Folders of parquet files: a file a split, or the parts of one table."""

from __future__ import annotations

from pathlib import Path

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked, with_split_column
from allotrope.data.sources.frames.paged_parquet import Report, parquet_columns
from allotrope.data.sources.frames.parquet import rows_in
from allotrope.data.sources.split_files import SplitFiles, split_files, splits_alone
from allotrope.data.store.lazy_columns import Columns, between


def frame_of_file(path: Path, options: DataOptions, report: Report) -> Frame:
    """A file as a frame, whose columns stay on disk if they are more than the memory."""
    columns, labels, keep = parquet_columns([path], options, report)
    frame = Frame(printable(path.stem), {"train": columns}, table=True, label_names=labels)
    frame.keep_rows = keep
    return with_split_column(checked(frame))


def frame_of_files(folder: Path, files: list[Path], options: DataOptions, report: Report) -> Frame:
    """The files as one frame: by split if their names say such, else the parts of one table.

    Raises: DataError if only some names say a split, or none says training.
    """
    named = _by_split(folder, files)
    by_split = named.by_split
    ordered = [path for paths in by_split.values() for path in paths]
    columns, labels, keep = parquet_columns(ordered, options, report)
    splits: dict[str, Columns] = {}
    start = 0
    for split, paths in by_split.items():
        end = start + sum(map(rows_in, paths))
        splits[split] = between(columns, start, end)
        start = end
    frame = Frame(printable(folder.resolve().name), splits, table=True, label_names=labels)
    frame.keep_rows = keep
    if len(by_split) == 1 and len(ordered) > 1:
        frame.notes.append(f"{len(ordered)} parquet files are read as the parts of one table")
    elif named.said:
        frame.notes.append(named.said)
    return with_split_column(checked(frame))


def _by_split(folder: Path, files: list[Path]) -> SplitFiles:
    """The files of each split; all are the parts of one table if none names a split."""
    splits = split_files(files)
    if not splits.by_split and splits.unsaid:
        return SplitFiles({"train": splits.unsaid}, (), splits.unlabelled)
    return splits_alone(folder, files, "parquet files")
