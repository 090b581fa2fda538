"""Finds out what a folder holds: IDX files, named arrays, or class folders of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from allotrope.data.sources.arrays.array_files import SUFFIXES, stored_arrays
from allotrope.data.sources.arrays.array_names import array_name, position, shared_words
from allotrope.data.sources.folder.tree import reason_to_skip, scan
from allotrope.data.sources.idx import idx_files, idx_name
from allotrope.data.split_names import split_name
from allotrope.errors import DataError

DEEPEST = 3
"""How far below the folder that is named arrays are looked for: `data/MNIST/raw`."""


@dataclass(frozen=True)
class Recognized:
    """`kind` is idx, arrays or pictures; `paths` is their folder, or the files of arrays."""

    kind: str
    paths: tuple[Path, ...]


def recognize(folder: Path) -> Recognized:
    """The kind of data in a folder, and where in it that lies.

    Raises: DataError that lists the kinds if there are several, or the folders if arrays lie in
    several.
    """
    places = [place for place in _folders(folder, DEEPEST) if _kind(place)]
    if not places:
        return Recognized("pictures", (folder,))
    pictures = bool(scan(folder).root.folders)
    listed = "; ".join(
        f"{place} ({', '.join(path.name for path in _files(place)[:4])})" for place in places
    )
    if pictures:
        raise DataError(
            f"{folder}: holds folders of pictures, and files of arrays in {listed}. Name one of "
            "these files, or say how the folders are read, such as --layout classes."
        )
    if len(places) > 1:
        raise DataError(
            f"{folder}: holds files of arrays in several folders: {listed}. Name one of the "
            "folders."
        )
    return _recognized(places[0])


def _recognized(place: Path) -> Recognized:
    arrays = _array_files(place)
    if idx_files(place):
        if arrays:
            raise DataError(
                f"{place}: holds IDX files and {', '.join(path.name for path in arrays[:4])}. "
                "Name one of the files."
            )
        return Recognized("idx", (place,))
    archives = [path for path in arrays if path.suffix.lower() == ".npz"]
    whole = [path for path in archives if _complete([path])]
    if len(arrays) > 1 and whole:
        raise DataError(
            f"{place}: holds several data sets ({', '.join(path.name for path in arrays[:8])}). "
            "Name one of the files."
        )
    return Recognized("arrays", tuple(arrays))


def _kind(place: Path) -> bool:
    """Whether there are IDX files, or arrays that are named as images and labels are."""
    arrays = _array_files(place)
    return bool(idx_files(place)) or (bool(arrays) and _may_be_data(arrays))


def _may_be_data(paths: list[Path]) -> bool:
    """Whether arrays are named as data is, or not at all; an archive on its own is data."""
    if len(paths) == 1 and paths[0].suffix.lower() == ".npz":
        return True
    if any(_complete([path]) for path in paths if path.suffix.lower() == ".npz"):
        return True
    names = [array.name for array in stored_arrays(paths)]
    without = shared_words(names)
    return any(
        array_name(name, without) is not None or position(name) is not None for name in names
    )


def _complete(paths: list[Path]) -> bool:
    """Whether an archive holds both images and labels."""
    names = [array.name for array in stored_arrays(paths)]
    roles = {
        known.role for name in names if (known := array_name(name, shared_words(names))) is not None
    }
    return {"images", "labels"} <= roles and not _says_split(paths[0])


def _says_split(path: Path) -> bool:
    """Whether a file is one split of several: `train.npz`, `mnist-train.npz`."""
    return split_name(path.stem) is not None


def _files(place: Path) -> list[Path]:
    return idx_files(place) or _array_files(place)


def _array_files(place: Path) -> list[Path]:
    visible = (path for path in place.iterdir() if not path.name.startswith("."))
    return sorted(
        path
        for path in visible
        if path.suffix.lower() in SUFFIXES and path.is_file() and not idx_name(path)
    )


def _folders(folder: Path, depth: int) -> list[Path]:
    """The folder and those below it, without what is hidden, made by programs or by us."""
    inner = (
        [
            path
            for path in sorted(folder.iterdir())
            if path.is_dir() and not path.name.startswith(".")
        ]
        if depth > 1
        else []
    )
    below = [
        place
        for path in inner
        if reason_to_skip(path) is None
        for place in _folders(path, depth - 1)
    ]
    return [folder, *below]
