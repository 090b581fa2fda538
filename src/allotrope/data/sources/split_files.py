"""Files right in a folder that are the splits of one data set, by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from allotrope.data.encodings import printable
from allotrope.data.examples import SPLITS
from allotrope.data.split_names import SplitName, split_name
from allotrope.errors import DataError

LISTED = 8


@dataclass(frozen=True)
class SplitFiles:
    """Files by split, training first; those that name no split, and those without labels."""

    by_split: Mapping[str, tuple[Path, ...]]
    unsaid: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()

    @property
    def said(self) -> str:
        """Which file is which split, and which are not read, in a line; nothing of one file."""
        files = [path for paths in self.by_split.values() for path in paths]
        passed_over = [*self.unsaid, *self.unlabelled]
        if len(files) + len(passed_over) < 2:
            return ""
        splits = [f"{split} ({_listed(paths)})" for split, paths in self.by_split.items()]
        line = f"splits by the names of files: {', '.join(splits)}"
        if passed_over:
            line += f"; not read: {_listed(passed_over)}"
        return line


def visible_files(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """The files right in the folder, but for hidden ones, that are wanted."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.is_file() and wanted(path)
    )


def split_files(files: Iterable[Path]) -> SplitFiles:
    """What the names of files say of splits.

    What is called after an evaluation is the first that lacks of validation and test.
    """
    said = {path: split_name(printable(path.name)) for path in files}
    parts: dict[str, list[Path]] = defaultdict(list)
    for path, name in said.items():
        parts[_called(name)].append(path)
    free = [split for split in SPLITS[1:] if split not in parts]
    for path in parts.pop("evaluation", []):
        parts[free[0] if free else SPLITS[1]].append(path)
    by_split = {split: tuple(parts[split]) for split in SPLITS if split in parts}
    return SplitFiles(by_split, tuple(parts.get("", ())), tuple(parts.get("unlabelled", ())))


def one_each(folder: Path, splits: SplitFiles) -> dict[str, Path]:
    """The file of each split.

    Raises: DataError if two are of one split, or none is for training.
    """
    check_training(folder, splits)
    doubled = [
        f"{_listed(paths)} are all {split}"
        for split, paths in splits.by_split.items()
        if len(paths) > 1
    ]
    if doubled:
        raise DataError(f"{folder}: {'; '.join(doubled)} by their names. Name one of the files.")
    return {split: paths[0] for split, paths in splits.by_split.items()}


def check_training(folder: Path, splits: SplitFiles) -> None:
    """Raises: DataError if there are splits, and none to train on."""
    if splits.by_split and "train" not in splits.by_split:
        files = [path for paths in splits.by_split.values() for path in paths]
        raise DataError(
            f"{folder}: holds {_listed(files)} and no file to train on. Expected a name such as "
            f"train{files[0].suffix}."
        )


def splits_alone(folder: Path, files: Sequence[Path], noun: str) -> SplitFiles:
    """The same if all files but those without labels name a split; one file alone is for training.

    Raises: DataError if some name none, or none is for training.
    """
    if len(files) == 1:
        return SplitFiles({"train": tuple(files)})
    splits = split_files(files)
    if splits.unsaid or not splits.by_split:
        suffix = files[0].suffix
        raise DataError(
            f"{folder}: holds several {noun}: {_listed(files)}. Name one of them, or call all of "
            f"them after splits, such as train{suffix}, validation{suffix} and test{suffix}."
        )
    check_training(folder, splits)
    return splits


def _called(name: SplitName | None) -> str:
    return "" if name is None else name.split


def _listed(paths: Sequence[Path]) -> str:
    names = ", ".join(f"'{printable(path.name)}'" for path in paths[:LISTED])
    more = f" and {len(paths) - LISTED:,} more" if len(paths) > LISTED else ""
    return f"{names}{more}"
