"""The ways in which a tree of folders can be read: what is a class, what is a split."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from allotrope.data.encodings import shown
from allotrope.data.sources.folder.tree import Folder
from allotrope.data.split_names import DECORATIONS, split_name, words
from allotrope.wording import counted

Pictures = list[tuple[Path, str]]
"""Pictures, each with the name of its class."""
CLASSES_SHOWN = 6

MEANINGS = {
    "classes": "each folder is a class, with all that lies below it",
    "deepest": "each folder that holds pictures is a class of its own",
    "pooled": "the last folder above a picture is its class, whatever lies above that",
    "splits": (
        "the folders are splits, and the folders in them the classes, with all that lies below"
    ),
    "splits-deepest": (
        "the folders are splits, and each folder in them that holds pictures is a class"
    ),
    "classes-splits": "each folder is a class, and the folders in it are its splits",
    "folds": "the last fold is the test, the one before it validation, the others train",
}


@dataclass
class Interpretation:
    """One way to read a tree: pictures by split, where these lie, why some folders are left out.

    `unlabelled` are the folders of pictures to learn from without a label, by their place.
    """

    layout: str
    splits: dict[str, Pictures]
    places: dict[str, list[str]] = field(default_factory=dict)
    reasons: dict[Path, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    unlabelled: dict[str, Folder] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the training pictures, sorted."""
        return tuple(sorted({name for _, name in self.splits.get("train", [])}))

    def __str__(self) -> str:
        """The reading in a line: its meaning, and what it makes of the folders."""
        parts = []
        for split, pictures in self.splits.items():
            places = self.places.get(split)
            shown = ""
            if places:
                shown = f"{split} from {', '.join(places)}: "
            parts.append(f"{shown}{_counted(pictures)}")
        for place, folder in self.unlabelled.items():
            parts.append(f"unlabelled from '{place}': {len(folder.below()):,}")
        return f"{MEANINGS[self.layout]} ({'; '.join(parts)})"

    def left_out(self, root: Folder) -> list[str]:
        """Every folder of which nothing is read, with the reason; pictures beside those read."""
        read = {path for pictures in self.splits.values() for path, _ in pictures}
        read |= {path for folder in self.unlabelled.values() for path in folder.below()}
        return self._left_out_of(root, root, read)

    def _left_out_of(self, folder: Folder, root: Folder, read: set[Path]) -> list[str]:
        pictures = folder.below()
        if folder is root:
            name = ""
        else:
            name = f"'{shown(folder.path, root.path)}'"
        if read.isdisjoint(pictures):
            reason = self.reasons.get(folder.path, "")
            return [f"{name} ({counted(len(pictures), 'picture')}{reason and f', {reason}'})"]
        beside = [path for path in folder.pictures if path not in read]
        place = "in no class folder"
        if name:
            place = f"right in {name}"
        described = []
        if beside:
            described = [f"{counted(len(beside), 'picture')} {place}"]
        for child in folder.folders:
            described += self._left_out_of(child, root, read)
        return described

    def same_as(self, other: Interpretation) -> bool:
        """Whether both put the same pictures together, whatever the classes are called."""
        if list(self.splits) != list(other.splits):
            return False
        pairs = set()
        for split, pictures in self.splits.items():
            theirs = dict(other.splits[split])
            if len(theirs) != len(pictures):
                return False
            pairs |= {(name, theirs.get(path)) for path, name in pictures}
        return len(pairs) == len({name for name, _ in pairs}) == len({name for _, name in pairs})


def _counted(pictures: Pictures) -> str:
    counts = Counter(name for _, name in pictures)
    names = sorted(counts)
    listed = ", ".join(f"{name} {counts[name]:,}" for name in names[:CLASSES_SHOWN])
    more = ""
    if len(names) > CLASSES_SHOWN:
        more = f" and {len(names) - CLASSES_SHOWN:,} more"
    if len(names) != 1:
        return f"{counted(len(names), 'class')}: {listed}{more}"
    return f"1 class: {listed}"


def class_name(*parts: str) -> str:
    """The name of a class, with accents composed: macOS writes them as signs of their own."""
    return unicodedata.normalize("NFC", "/".join(parts))


def by_top(folder: Folder) -> Pictures:
    """Each folder right below is a class."""
    return [(path, class_name(child.name)) for child in folder.folders for path in child.below()]


def by_leaf(folder: Folder, above: tuple[str, ...] = ()) -> Pictures:
    """Each folder below that holds pictures is a class, called by its path."""
    pictures: Pictures = []
    for child in folder.folders:
        name = (*above, child.name)
        pictures += [(path, class_name(*name)) for path in child.pictures]
        pictures += by_leaf(child, name)
    return pictures


def by_last(folder: Folder) -> Pictures:
    """The name of the folder that holds a picture is its class."""
    folders = [inner for child in folder.folders for inner in child.walk()]
    return [(path, class_name(inner.name)) for inner in folders for path in inner.pictures]


def unsplit(layout: str, root: Folder, classes: Callable[[Folder], Pictures]) -> Interpretation:
    """All pictures in class folders as training pictures."""
    return Interpretation(layout, {"train": classes(root)})


def unwrapped(folder: Folder) -> Folder:
    """The folder, or the inner one as long as it holds only one, which holds folders."""
    while len(folder.folders) == 1 and folder.folders[0].folders:
        folder = folder.folders[0]
    return folder


def inside_split(folder: Folder) -> Folder:
    """The folder of a split, or the lone one in it whose name says nothing new: `train/images`."""
    while (
        len(folder.folders) == 1
        and folder.folders[0].folders
        and says_nothing(folder.folders[0].name)
    ):
        folder = folder.folders[0]
    return folder


def says_nothing(name: str) -> bool:
    """Whether the name of a folder inside a split names a split again, or just what lies there."""
    return split_name(name) is not None or set(words(name)) <= DECORATIONS


@dataclass
class SplitFolders:
    """The folders right below one by the split that their name says; `others` say none."""

    splits: dict[str, list[Folder]] = field(default_factory=dict)
    others: list[Folder] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def single(self, split: str) -> Folder | None:
        """The folder of a split; None if there is not exactly one."""
        folders = self.splits.get(split, [])
        if len(folders) == 1:
            return inside_split(folders[0])
        return None

    @property
    def doubled(self) -> list[str]:
        """What is there twice."""
        return [
            f"{' and '.join(folder.name for folder in folders)} are both {split}"
            for split, folders in self.splits.items()
            if len(folders) > 1 and split != "unlabelled"
        ]


def split_folders(folders: Sequence[Folder], pure: bool = False) -> SplitFolders:
    """The splits among folders. With `pure`, only names that say nothing but the split.

    Names with other words in them count if they share these with the folder of the training
    pictures.
    """
    named = [(folder, split_name(folder.name)) for folder in folders]
    own = {said.others for _, said in named if said is not None and said.split == "train"}
    if pure:
        own = set()
    parts = SplitFolders()
    for folder, said in named:
        if said is None or not (said.pure or said.others in own):
            parts.others.append(folder)
        else:
            parts.splits.setdefault(said.split, []).append(folder)
    _settle_evaluation(parts)
    return parts


def _settle_evaluation(parts: SplitFolders) -> None:
    """`eval` is called validation by some and test by others: it is the one that is missing."""
    folders = parts.splits.pop("evaluation", None)
    if folders is None:
        return
    split = "validation"
    if "validation" in parts.splits and "test" not in parts.splits:
        split = "test"
    parts.splits.setdefault(split, []).extend(folders)
    other = "validation"
    if split == "validation":
        other = "test"
    name = folders[0].name
    parts.remarks.append(f"'{name}' is taken for {split}; call it {other} if it is that")
