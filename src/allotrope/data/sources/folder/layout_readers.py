"""One function for each layout of folders: what a tree is, if it is read so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from allotrope.data.encodings import shown
from allotrope.data.sources.folder.interpretations import (
    Interpretation,
    Pictures,
    SplitFolders,
    by_last,
    by_leaf,
    by_top,
    class_name,
    inside_split,
    says_nothing,
    split_folders,
    unsplit,
    unwrapped,
)
from allotrope.data.sources.folder.tree import Folder
from allotrope.data.split_names import is_fold, split_name, words
from allotrope.errors import DataError
from allotrope.wording import counted

UNLABELLED = "unlabelled by its name; rename it if it is a class"
OF_A_CLASS = "unlabelled by its name, in the folder of a class"
HELD_OUT = ("validation", "test")
NO_CLASS = frozenset(("unknown", "none", "unlabeled", "unlabelled"))
"""Names besides `images` of a lone folder in a test, for loaders that demand one."""


def without_unlabelled(folder: Folder) -> tuple[Folder, dict[Path, str]]:
    """The folder without those in it that are unlabelled by their name, and the reason for each."""
    unlabelled = [child for child in folder.folders if _is_unlabelled(child)]
    labelled = [child for child in folder.folders if not _is_unlabelled(child)]
    return Folder(folder.path, folder.pictures, labelled), {
        child.path: UNLABELLED for child in unlabelled
    }


def _is_unlabelled(folder: Folder) -> bool:
    said = split_name(folder.name)
    return said is not None and said.split == "unlabelled" and said.pure


def read_splits(layout: str, classes: Callable[[Folder], Pictures], root: Folder) -> Interpretation:
    """Splits above classes; without a train folder, the folders beside them are its classes."""
    parts = split_folders(root.folders)
    beside = "train" not in parts.splits
    if beside:
        parts = split_folders(root.folders, pure=True)
    _check_splits(root, parts, beside)
    train = parts.single("train")
    if beside:
        train = Folder(root.path, [], parts.others)
    assert train is not None
    reading = Interpretation(layout, {}, remarks=list(parts.remarks))
    _add_split(reading, "train", train, classes, root)
    known = {name for _, name in reading.splits["train"]}
    for split in HELD_OUT:
        folder = parts.single(split)
        if folder is not None and _has_labels(folder, known):
            _add_split(reading, split, folder, classes, root)
        elif folder is not None:
            reading.reasons[parts.splits[split][0].path] = (
                f"for {split} by its name, without class folders"
            )
    reading.reasons |= {folder.path: UNLABELLED for folder in parts.splits.get("unlabelled", [])}
    reading.reasons |= {folder.path: "in no split" for folder in parts.others}
    return reading


def _add_split(
    reading: Interpretation,
    split: str,
    folder: Folder,
    classes: Callable[[Folder], Pictures],
    root: Folder,
) -> None:
    labelled, reasons = without_unlabelled(folder)
    reading.splits[split] = classes(labelled)
    if folder.path != root.path:
        reading.places[split] = [f"'{shown(folder.path, root.path)}'"]
    else:
        reading.places[split] = []
    reading.reasons |= reasons


def _has_labels(folder: Folder, known: set[str]) -> bool:
    """Whether there are class folders; one that holds everything, as `test/images`, is none."""
    if len(folder.folders) != 1 or class_name(folder.folders[0].name) in known:
        return bool(folder.folders)
    name = folder.folders[0].name
    return not says_nothing(name) and not set(words(name)) <= NO_CLASS


def _check_splits(root: Folder, parts: SplitFolders, beside: bool) -> None:
    if parts.doubled:
        raise DataError(
            f"{root.path}: {'; '.join(parts.doubled)} by their names. Expected one folder for "
            "each split: put them together, move one away, or say --layout classes if they are "
            "classes."
        )
    train = parts.single("train")
    if beside and (not parts.splits or not parts.others):
        there = ", ".join(folder.name for folder in root.folders[:8])
        raise DataError(
            f"{root.path}: holds no folder of training pictures, only {there}. Expected train/ "
            "and perhaps validation/ and test/."
        )
    if train is None:
        return
    inner = split_folders(train.folders, pure=True)
    if not train.folders or _only_pictures(train):
        raise DataError(no_class_folders(train, root))
    if "train" in inner.splits and not inner.others:
        raise DataError(
            f"{train.path}: a folder for training by its name that holds splits itself "
            f"({', '.join(folder.name for folder in train.folders)}). Name that folder, or rename "
            "it."
        )


def _only_pictures(train: Folder) -> bool:
    """Whether there is but one folder in it, called just what it holds: `train/images`."""
    return len(train.folders) == 1 and says_nothing(train.folders[0].name)


def no_class_folders(train: Folder, root: Folder) -> str:
    """The message for training pictures without labels."""
    beside = [f"'{folder.name}'" for folder in root.folders if folder.path != train.path]
    classes = ""
    if beside:
        classes = f" If {train.name} and {', '.join(beside[:8])} are classes, say --layout classes."
    return (
        f"{train.path}: {counted(len(train.below()), 'training picture')} in no class folder, so "
        "that nothing says their classes (labels in tables or in file names are not read). "
        f"Expected one folder per class in it.{classes}"
    )


def read_classes_splits(root: Folder) -> Interpretation:
    """Classes above splits; a class without splits is for training."""
    if not any("train" in split_folders(unwrapped(child).folders).splits for child in root.folders):
        raise DataError(
            f"{root.path}: no class folder holds a train folder. Expected train/ and perhaps "
            "test/ in each."
        )
    reading = Interpretation("classes-splits", {split: [] for split in ("train", *HELD_OUT)})
    for child in root.folders:
        parts = split_folders(unwrapped(child).folders)
        if parts.doubled:
            raise DataError(
                f"{child.path}: {'; '.join(parts.doubled)} by their names. Expected one folder "
                "for each split."
            )
        name = class_name(child.name)
        if not parts.splits:
            reading.splits["train"] += [(path, name) for path in child.below()]
            continue
        for split, folders in parts.splits.items():
            pictures = [path for folder in folders for path in folder.below()]
            if split == "unlabelled":
                reading.reasons |= {folder.path: OF_A_CLASS for folder in folders}
            else:
                reading.splits[split] += [(path, name) for path in pictures]
        reading.reasons |= {folder.path: "in no split" for folder in parts.others}
    reading.splits = {split: pictures for split, pictures in reading.splits.items() if pictures}
    return reading


def read_folds(root: Folder) -> Interpretation:
    """Numbered folds above classes: the last is the test, the one before it validation."""
    folds = sorted((folder for folder in root.folders if is_fold(folder.name)), key=_number)
    if len(folds) < 3 or not all(fold.folders for fold in folds):
        names = ", ".join(folder.name for folder in root.folders[:8])
        raise DataError(
            f"{root.path}: holds {names}. Expected at least three folders such as fold1, fold2, "
            "fold3 with class folders."
        )
    if any("train" in split_folders(inside_split(fold).folders).splits for fold in folds):
        raise DataError(f"{root.path}: the folds hold splits themselves. Name one of them.")
    parts = {"train": folds[:-2], "validation": folds[-2:-1], "test": folds[-1:]}
    reading = Interpretation("folds", {}, {})
    for split, members in parts.items():
        reading.splits[split] = [
            picture for fold in members for picture in by_top(inside_split(fold))
        ]
        reading.places[split] = [f"'{fold.name}'" for fold in members]
    return reading


def _number(folder: Folder) -> int:
    return int("".join(sign for sign in folder.name if sign.isdecimal()))


LAYOUT_READERS: dict[str, Callable[[Folder], Interpretation]] = {
    "classes": lambda root: unsplit("classes", root, by_top),
    "deepest": lambda root: unsplit("deepest", root, by_leaf),
    "pooled": lambda root: unsplit("pooled", root, by_last),
    "splits": partial(read_splits, "splits", by_top),
    "splits-deepest": partial(read_splits, "splits-deepest", by_leaf),
    "classes-splits": read_classes_splits,
    "folds": read_folds,
}
"""By name of --layout."""
