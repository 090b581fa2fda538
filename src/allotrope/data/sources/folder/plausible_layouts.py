"""Which readings of a tree of folders are plausible; two that put the same together are one."""

from __future__ import annotations

from collections.abc import Iterable

from allotrope.data.encodings import shown
from allotrope.data.sources.folder.interpretations import (
    Interpretation,
    SplitFolders,
    class_name,
    says_nothing,
    split_folders,
)
from allotrope.data.sources.folder.layout_readers import LAYOUT_READERS, no_class_folders
from allotrope.data.sources.folder.tree import Folder
from allotrope.data.split_names import is_fold, is_part
from allotrope.errors import DataError


def plausible(root: Folder) -> list[Interpretation]:
    """The readings that a person might mean, at least one.

    Raises: DataError if none gives every picture a class, or if there are several data sets.
    """
    folders = root.folders
    _check_one_data_set(root)
    if len(folders) > 1 and all(is_fold(folder.name) and folder.folders for folder in folders):
        return _distinct(
            root, ("folds", "pooled") if len(folders) > 2 else ("pooled", "deepest", "classes")
        )
    parts = split_folders(folders)
    if any(folder.folders for folder in parts.splits.get("train", [])):
        return _distinct(root, ("splits", "splits-deepest", *_beside(parts)))
    if _classes_hold_splits(folders):
        return _distinct(root, ("classes-splits",))
    if any(_only_splits(folder) for folder in folders):
        return _distinct(root, ("classes-splits", "classes", "deepest"))
    readings = _distinct(root, _without_train(root))
    if [reading.layout for reading in readings] == ["classes"]:
        _check_depths(root)
        _check_parts(root)
    return readings


def _distinct(root: Folder, layouts: Iterable[str]) -> list[Interpretation]:
    """The readings by these layouts, without repetitions and those with a single class."""
    readings: list[Interpretation] = []
    for layout in layouts:
        reading = LAYOUT_READERS[layout](root)
        if not any(reading.same_as(earlier) for earlier in readings):
            readings.append(reading)
    return [reading for reading in readings if len(reading.classes) > 1] or readings[:1]


def _beside(parts: SplitFolders) -> tuple[str, ...]:
    """The readings in which a train folder is no split, as what lies beside it is of no known one.

    They are out if there is another split by its name.
    """
    others = parts.splits.keys() - {"train"}
    if parts.others and not others:
        return "classes", "deepest", "pooled"
    return ()


def _without_train(root: Folder) -> tuple[str, ...]:
    """The layouts that may be meant if no training folder holds class folders."""
    plain = ("classes", "deepest", "pooled")
    parts = split_folders(root.folders, pure=True)
    train = parts.splits.get("train")
    if train and (len(parts.splits) > 1 or not parts.others):
        raise DataError(no_class_folders(train[0], root))
    held_out = [
        folder for split in ("validation", "test") for folder in parts.splits.get(split, [])
    ]
    if not held_out or len(parts.others) == 1 or train:
        return plain
    if not parts.others:
        return ("splits",)  # which says that there is nothing to train on
    classes = {class_name(folder.name) for folder in parts.others}
    inner = {class_name(child.name) for folder in held_out for child in folder.folders}
    if inner:
        if inner <= classes:
            return ("splits",)
        return plain
    return ("splits", *plain)


def _only_splits(folder: Folder) -> bool:
    """Whether a folder holds nothing but splits, that of training among them."""
    parts = split_folders(folder.folders, pure=True)
    return "train" in parts.splits and not parts.others and not folder.pictures


def _classes_hold_splits(folders: list[Folder]) -> bool:
    return len(folders) > 1 and all(_only_splits(folder) for folder in folders)


def _check_depths(root: Folder) -> None:
    """Raises DataError if some folders hold pictures, and others do further down.

    A name in between that says nothing, as in `cat/images`, does not count.
    """
    flat = [folder for folder in root.folders if folder.pictures]
    deep = [
        folder for folder in root.folders if not folder.pictures and not _says_nothing_below(folder)
    ]
    if len(flat) > 1 and deep:
        names = ", ".join(f"'{shown(folder.deepest().path, root.path)}'" for folder in deep[:8])
        raise DataError(
            f"{root.path}: {len(flat)} folders hold pictures themselves, and others further down "
            f"({names}), which may be no classes. Move these away, or say --layout classes if "
            "they are classes."
        )


def _check_parts(root: Folder) -> None:
    """Raises DataError if the folders are numbered parts of something by their names."""
    names = [folder.name for folder in root.folders]
    if len(names) > 1 and all(is_fold(name) or is_part(name) for name in names):
        raise DataError(
            f"{root.path}: {', '.join(names[:8])} are parts of one set by their names, so that "
            "nothing says the classes of their pictures. Expected one folder per class, or say "
            "--layout classes if these are the classes."
        )


def _says_nothing_below(folder: Folder) -> bool:
    """Whether the folders in it repeat its name or say that there are pictures: `cat/cat`."""
    inner = [child.name for child in folder.walk()][1:]
    return all(says_nothing(name) or name.casefold() == folder.name.casefold() for name in inner)


def _check_one_data_set(root: Folder) -> None:
    """Raises DataError if each folder holds splits with class folders."""
    trains = [split_folders(folder.folders).single("train") for folder in root.folders]
    if len(trains) > 1 and all(train is not None and train.folders for train in trains):
        names = ", ".join(folder.name for folder in root.folders[:8])
        raise DataError(
            f"{root.path}: holds {len(trains)} data sets with splits of their own: {names}. Name "
            "one of these folders."
        )
