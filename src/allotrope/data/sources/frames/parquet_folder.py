"""Folders of parquet files: a file a split, or the parts of one table."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from allotrope.data.encodings import printable
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked, with_split_column
from allotrope.data.sources.frames.parquet import SUFFIXES, read_parquet, rows_in
from allotrope.data.split_names import split_name
from allotrope.errors import DataError


def parquet_files(folder: Path) -> list[Path]:
    """The parquet files right in a folder."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def frame_of_files(folder: Path, files: list[Path]) -> Frame:
    """The files as one frame: by split if their names say such, else the parts of one table.

    Raises: DataError if only some names say a split, or none says training.
    """
    by_split = _by_split(folder, files)
    ordered = [path for paths in by_split.values() for path in paths]
    columns = read_parquet(*ordered)
    splits, start = {}, 0
    for split, paths in by_split.items():
        end = start + sum(map(rows_in, paths))
        splits[split] = {name: array[start:end] for name, array in columns.items()}
        start = end
    frame = Frame(printable(folder.resolve().name), splits, table=True, label_names=columns.labels)
    if len(by_split) == 1 and len(files) > 1:
        frame.notes.append(f"{len(files)} parquet files are read as the parts of one table")
    return with_split_column(checked(frame))


def _by_split(folder: Path, files: list[Path]) -> dict[str, list[Path]]:
    """The files of each split, training first."""
    splits: dict[str, list[Path]] = defaultdict(list)
    unsaid = []
    for path in files:
        said = split_name(printable(path.stem))
        if said is None or said.split == "unlabelled":
            unsaid.append(path)
        else:
            splits["validation" if said.split == "evaluation" else said.split].append(path)
    if not splits:
        return {"train": unsaid}
    if unsaid or "train" not in splits:
        listed = ", ".join(path.name for path in files)
        raise DataError(
            f"{folder}: holds several parquet files: {listed}. Name one of them, or call all of "
            "them after splits, such as train.parquet and test.parquet."
        )
    return {"train": splits.pop("train"), **splits}
