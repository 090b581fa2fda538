"""Decides how a folder of pictures is read. What can be read in two ways is never guessed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from allotrope.config import FOLDER_LAYOUTS
from allotrope.data.encodings import shown
from allotrope.data.examples import UNLABELLED
from allotrope.data.sources.folder.interpretations import Interpretation, Pictures, unwrapped
from allotrope.data.sources.folder.layout_readers import LAYOUT_READERS, without_unlabelled
from allotrope.data.sources.folder.plausible_layouts import plausible
from allotrope.data.sources.folder.tree import Folder, Tree, scan
from allotrope.data.sources.folder.unlabelled_folders import take_unlabelled
from allotrope.data.split_names import split_name
from allotrope.errors import DataError, unknown_name
from allotrope.inputs.image.formats import ARCHIVES, FORMATS
from allotrope.wording import counted

KINDS = ", ".join(FORMATS)
EXPECTED = (
    f"one folder of pictures ({KINDS}) per class, or such folders below train/, validation/ and "
    "test/"
)
FOLDERS_SHOWN = 8
NO_CLASS = ""


@dataclass
class Layout:
    """Picture paths by split with their class names; `ignored` counts other files by suffix.

    Those without a label have NO_CLASS.
    """

    splits: dict[str, Pictures] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the training pictures, sorted."""
        return tuple(sorted({name for _, name in self.splits["train"]}))


def find_layout(folder: Path, asked: str = "auto") -> Layout:
    """Every picture of a folder with its split and class, and notes of what was understood.

    `asked` is one of FOLDER_LAYOUTS; `auto` takes the only reading that there is.
    Raises: DataError if there are no class folders with pictures, or several readings;
    UsageError for an unknown layout.
    """
    if asked not in FOLDER_LAYOUTS:
        raise unknown_name("layout", asked, FOLDER_LAYOUTS)
    return understood(folder, scan(folder), asked)


def understood(folder: Path, tree: Tree, asked: str) -> Layout:
    """The layout of a tree that was scanned. Raises: DataError as `find_layout`."""
    if not tree.root.folders:
        raise DataError(_nothing_found(folder, tree))
    root, unlabelled = _labelled(tree.root)
    if not root.folders:
        raise DataError(
            f"{folder}: found only pictures without labels, by the names of their folders. "
            f"Expected {EXPECTED}."
        )
    if asked == "auto":
        _check_empty_splits(folder, tree)
        chosen = _only_reading(folder, root)
    else:
        chosen = LAYOUT_READERS[asked](root)
    _check_classes(folder, chosen)
    chosen.reasons |= unlabelled
    take_unlabelled(chosen, tree.root)
    if root.path != tree.root.path:
        inner = shown(root.path, tree.root.path)
        chosen.remarks.append(f"read from '{inner}', which alone holds folders of pictures")
    splits = dict(chosen.splits)
    if chosen.unlabelled:
        paths = [path for each in chosen.unlabelled.values() for path in each.below()]
        splits[UNLABELLED] = [(path, NO_CLASS) for path in paths]
    return Layout(splits, tree.ignored, _notes(chosen, tree))


def _labelled(root: Folder) -> tuple[Folder, dict[Path, str]]:
    """The folder below those that add nothing, without what is unlabelled by its name, and that."""
    reasons: dict[Path, str] = {}
    while True:
        root, unlabelled = without_unlabelled(unwrapped(root))
        reasons |= unlabelled
        if len(root.folders) != 1 or not root.folders[0].folders:
            return root, reasons


def _only_reading(folder: Path, root: Folder) -> Interpretation:
    readings = plausible(root)
    if len(readings) > 1:
        raise DataError(_several_readings(folder, readings))
    return readings[0]


def _several_readings(folder: Path, readings: list[Interpretation]) -> str:
    listed = "\n".join(f"  --layout {reading.layout}: {reading}" for reading in readings)
    return (
        f"{folder}: can be read in {len(readings)} ways. Choose one, or name a folder further "
        f"down:\n{listed}"
    )


def _notes(chosen: Interpretation, tree: Tree) -> list[str]:
    notes = [f"layout '{chosen.layout}': {chosen}"]
    notes += chosen.remarks
    skipped = [f"'{name}' ({reason})" for name, reason in tree.skipped.items()]
    left_out = [*chosen.left_out(tree.root), *skipped]
    if left_out:
        notes.append(f"left out: {_limited(left_out)}")
    if tree.empty:
        notes.append(
            f"no class, for they hold no pictures: {_limited([repr(name) for name in tree.empty])}"
        )
    if tree.ignored:
        kinds = ", ".join(
            f"{suffix or 'without suffix'} {count:,}"
            for suffix, count in tree.ignored.most_common(8)
        )
        notes.append(
            f"ignored {tree.ignored.total():,} files that are no pictures by name ({kinds})"
        )
    return notes + _alike(chosen.classes)


def _limited(names: list[str]) -> str:
    more = ""
    if len(names) > FOLDERS_SHOWN:
        more = f" and {len(names) - FOLDERS_SHOWN:,} more"
    return ", ".join(names[:FOLDERS_SHOWN]) + more


def _alike(classes: tuple[str, ...]) -> list[str]:
    """Classes that a Mac or Windows would hold for one."""
    spellings: dict[str, list[str]] = {}
    for name in classes:
        spellings.setdefault(" ".join(name.casefold().split()), []).append(name)
    alike = ["/".join(map(repr, names)) for names in spellings.values() if len(names) > 1]
    if alike:
        return [f"classes that differ in case or spaces only: {', '.join(alike)}"]
    return []


def _check_empty_splits(folder: Path, tree: Tree) -> None:
    said = {name: split_name(name) for name in tree.empty}
    empty = [
        name for name, split in said.items() if split and split.pure and split.split != "unlabelled"
    ]
    if empty and any(child.folders for child in tree.root.folders):
        places = ", ".join(str(folder / name) for name in empty)
        raise DataError(
            f"{places}: found no pictures. Remove the folder, or put class folders with pictures "
            "in it."
        )


def _nothing_found(folder: Path, tree: Tree) -> str:
    loose = len(tree.root.pictures)
    contents = "no pictures"
    if loose:
        contents = f"{counted(loose, 'picture')} in no class folder"
    if tree.ignored:
        suffixes = ", ".join(
            suffix or "without suffix" for suffix, _ in tree.ignored.most_common(5)
        )
        contents += f", {counted(tree.ignored.total(), 'other file')} ({suffixes})"
    if tree.skipped:
        contents += f", folders that are left out ({_limited(list(tree.skipped))})"
    archived = not ARCHIVES.isdisjoint(tree.ignored)
    remedy = ""
    if archived:
        remedy = " Archives are not extracted: extract them first."
    return f"{folder}: found {contents}.{remedy} Expected {EXPECTED}."


def _check_classes(folder: Path, chosen: Interpretation) -> None:
    known = set(chosen.classes)
    unknown = [
        f"{split}: {', '.join(sorted(names))}"
        for split, pictures in chosen.splits.items()
        if (names := {name for _, name in pictures} - known)
    ]
    if unknown:
        raise DataError(
            f"{folder}: classes that are not among the training pictures: {'; '.join(unknown)}. "
            f"Expected {', '.join(sorted(known))}."
        )
