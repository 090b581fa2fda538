"""Finds the pictures of a folder: which class and which split each belongs to, and what else lies there."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from allotrope.data.pictures import SUFFIXES
from allotrope.errors import DataError

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
EXPECTED = "one folder of JPEG, PNG, BMP or WebP pictures per class, or such folders below train/, validation/ and test/"


@dataclass
class Layout:
    """Picture paths by split, each with its class name; `ignored` counts what is no picture by its suffix."""

    splits: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the training pictures, sorted."""
        return tuple(sorted({name for _, name in self.splits["train"]}))


def shown(path: Path, folder: Path) -> str:
    """The path below the folder as text that can always be printed: bytes that are no UTF-8 are replaced."""
    return os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")


def find_layout(folder: Path) -> Layout:
    """Every picture below the class folders of `folder`, at any depth; hidden files and loops of links are left out.

    Raises: DataError where there are no class folders with pictures.
    """
    layout = Layout()
    split_folders = _split_folders(folder)
    for split, root in (split_folders or {"train": folder}).items():
        layout.splits[split] = _class_pictures(root, layout)
    if split_folders:
        others = [path.name for path in _folders(folder) if path not in split_folders.values()]
        layout.notes += [f"folders beside the splits are ignored: {', '.join(others)}"] if others else []
    empty = [split for split, pictures in layout.splits.items() if not pictures]
    if empty:
        raise DataError(_nothing_found(folder, [(split_folders or {"train": folder})[split] for split in empty], layout))
    _check_classes(folder, layout)
    if layout.ignored:
        kinds = ", ".join(f"{suffix or 'without suffix'} {count:,}" for suffix, count in layout.ignored.most_common(8))
        layout.notes.append(f"ignored {layout.ignored.total():,} files that are no JPEG, PNG, BMP or WebP by name ({kinds})")
    return layout


def _split_folders(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _folders(folder):
        split = SPLIT_FOLDERS.get(path.name.lower())
        if split in found:
            raise DataError(f"{folder}: '{found[split].name}' and '{path.name}' are both {split} folders; expected one of them.")
        if split is not None and _folders(path):  # a folder named `train` that holds pictures is a class of trains
            found[split] = path
    lone_class = len(found) == 1 and len(_folders(folder)) > 1  # `train` among other classes
    return found if "train" in found and not lone_class else {}


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))


def _class_pictures(root: Path, layout: Layout) -> list[tuple[Path, str]]:
    found = []
    for folder in _folders(root):
        pictures = _pictures_below(folder, layout.ignored)
        if not pictures:
            layout.notes.append(f"folder '{folder.name}' holds no pictures and is no class")
        found += [(path, unicodedata.normalize("NFC", shown(folder, root))) for path in pictures]
    loose = sum(path.suffix.lower() in SUFFIXES for path in root.iterdir() if path.is_file() and not path.name.startswith("."))
    if loose:
        layout.notes.append(f"ignored {loose:,} pictures in '{root.name}' that lie in no class folder")
    return found


def _pictures_below(folder: Path, ignored: Counter[str]) -> list[Path]:
    found, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            suffix = os.path.splitext(name)[1].lower()
            if suffix in SUFFIXES and not name.startswith("."):
                found.append(Path(place, name))
            elif not name.startswith("."):
                ignored[suffix] += 1
    return found


def _raise(error: OSError) -> None:
    raise error


def _nothing_found(folder: Path, empty: list[Path], layout: Layout) -> str:
    loose = sum(path.suffix.lower() in SUFFIXES for root in empty for path in root.iterdir() if path.is_file())
    found = f"{loose:,} pictures in no class folder" if loose else "no pictures"
    if layout.ignored:
        found += f", {layout.ignored.total():,} other files ({', '.join(suffix for suffix, _ in layout.ignored.most_common(5))})"
    places = ", ".join(str(path) for path in empty)
    return f"{places}: found {found}. Expected in {folder} {EXPECTED}."


def _check_classes(folder: Path, layout: Layout) -> None:
    known = set(layout.classes)
    unknown = [
        f"{split}: {', '.join(sorted(names))}"
        for split, pictures in layout.splits.items()
        if (names := {name for _, name in pictures} - known)
    ]
    if unknown:
        raise DataError(
            f"{folder}: classes that are not among the training pictures: {'; '.join(unknown)}. Expected {', '.join(sorted(known))}."
        )
    if len(known) == 1 and len(inner := _folders(next(iter(_folders(folder))))) > 1:
        raise DataError(f"{folder}: holds only one class folder, which holds {len(inner)} folders. Did you mean {inner[0].parent}?")
