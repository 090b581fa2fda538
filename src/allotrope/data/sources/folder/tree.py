"""The folders of pictures below a folder, without what is hidden or made by programs."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from allotrope.data.encodings import printable, shown
from allotrope.errors import DataError
from allotrope.inputs.image.formats import SUFFIXES
from allotrope.run import is_run_folder

MADE_BY_PROGRAMS = {
    "__macosx": "made by macOS",
    "@eadir": "thumbnails",
    "thumbnails": "thumbnails",
    "thumbnail": "thumbnails",
    "_thumbs": "thumbnails",
    "$recycle.bin": "deleted files",
    "system volume information": "made by Windows",
    "lost+found": "made by the file system",
    "node_modules": "made by npm",
    "__pycache__": "made by Python",
}
MISTAKE = re.compile(r"mistake-\d{2,}\.png")
DEEPEST = 32


@dataclass
class Folder:
    """A folder with the pictures right in it, and those in it that hold pictures at any depth."""

    path: Path
    pictures: list[Path] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its own name, as text."""
        return printable(self.path.name)

    def walk(self) -> Iterator[Folder]:
        """The folder and all below it, in the order of their names."""
        yield self
        for folder in self.folders:
            yield from folder.walk()

    def deepest(self) -> Folder:
        """The first folder down from it that holds pictures itself."""
        return next(folder for folder in self.walk() if folder.pictures)

    def below(self) -> list[Path]:
        """Every picture in it, at any depth."""
        return [picture for folder in self.walk() for picture in folder.pictures]


@dataclass
class Tree:
    """What lies below `root`: its folders of pictures, and what was left out of them.

    `skipped` says why of each such folder; `empty` are folders right below that hold nothing to
    read; `ignored` counts files that are no pictures by their suffix.
    """

    root: Folder
    skipped: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def scan(folder: Path) -> Tree:
    """The tree below a folder. Links are followed, and loops of them left out.

    Raises: DataError if folders are nested without end.
    """
    tree = Tree(Folder(folder))
    tree.root = _scanned(folder, tree, frozenset())
    filled = {child.path for child in tree.root.folders}
    with os.scandir(folder) as entries:
        paths = sorted(folder / entry.name for entry in entries if _is_folder(entry))
    left = [path for path in paths if path not in filled and not path.name.startswith(".")]
    tree.empty = [shown(path, folder) for path in left if not _holds_skipped(path, tree)]
    return tree


def _scanned(path: Path, tree: Tree, above: frozenset[tuple[int, int]]) -> Folder:
    status = path.stat()
    here = (status.st_dev, status.st_ino)
    folder = Folder(path)
    if here in above:  # a loop of links
        return folder
    if len(above) > DEEPEST:
        raise DataError(
            f"{path}: folders lie more than {DEEPEST} deep in each other. Name a folder further "
            "down."
        )
    with os.scandir(path) as entries:
        visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=_name)
    for entry in visible:
        inner = path / entry.name
        if not _is_folder(entry):
            _add_file(inner, folder, tree)
        elif (reason := reason_to_skip(inner)) is not None:
            tree.skipped[shown(inner, tree.root.path)] = reason
        else:
            child = _scanned(inner, tree, above | {here})
            if child.pictures or child.folders:
                folder.folders += [child]
    if path.name == "pictures" and all(
        MISTAKE.fullmatch(picture.name) for picture in folder.pictures
    ):
        folder.pictures.clear()  # what is left of a run folder
    return folder


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _add_file(path: Path, folder: Folder, tree: Tree) -> None:
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        folder.pictures.append(path)
    else:
        tree.ignored[suffix] += 1


def reason_to_skip(path: Path) -> str | None:
    """Why a folder holds no data of the user's; None if it may."""
    if is_run_folder(path):
        return "made by allotrope"
    if (path / "pyvenv.cfg").is_file():
        return "a Python environment"
    return MADE_BY_PROGRAMS.get(path.name.lower())


def _holds_skipped(path: Path, tree: Tree) -> bool:
    name = shown(path, tree.root.path)
    return any(skipped == name or skipped.startswith(f"{name}/") for skipped in tree.skipped)
