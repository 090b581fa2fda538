"""The files of pictures that a table names, none of them outside the table's folder."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from allotrope.data.recognize.frame import Frame
from allotrope.data.sources.folder.tree import scan
from allotrope.errors import DataError
from allotrope.inputs.image.formats import SUFFIXES
from allotrope.wording import counted

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
DRIVE = re.compile(r"[A-Za-z]:")
LISTED = 8
TRIED = 100

NOTHING = "name no {noun}"
GONE = "name {noun}s that are not there"
OUTSIDE = "name files outside of the folder, which are not read"
LINKED = "name links that lead out of the folder, which are not followed"
REMOTE = "name web addresses; nothing is downloaded"
SEVERAL = "name {noun}s that lie in several folders; name them by their folder too"


class PictureFolder:
    """A folder in which names are looked up, and in those below it if it does not hold them."""

    noun = "picture"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.real = os.path.realpath(folder)
        self._real_folders: dict[str, str] = {}

    def find(self, name: str) -> tuple[Path | None, str]:
        """The file that a name stands for; or None, and what is wrong with it."""
        name = name.strip()
        if "/" not in name:
            name = name.replace("\\", "/")
        problem = _problem_of(name)
        if problem:
            return None, problem
        path = self.folder / name
        if self.holds(path):
            return self._inside(path)
        candidates = self._below(PurePosixPath(name))
        if len(candidates) == 1:
            return self._inside(candidates[0])
        return None, SEVERAL if candidates else GONE

    def holds(self, path: Path) -> bool:
        """Whether it is something that a name may stand for."""
        return is_file(path)

    def everything(self) -> Iterable[Path]:
        """All in the folder and below it that a name may stand for."""
        return scan(self.folder).root.below()

    def stem(self, path: Path) -> str:
        """What it may be called without its suffix."""
        return path.stem

    def _inside(self, path: Path) -> tuple[Path | None, str]:
        """The file, if no link on the way to it leads out of the folder."""
        parent = str(path.parent)
        real = self._real_folders.get(parent)
        if real is None:
            real = self._real_folders[parent] = os.path.realpath(parent)
        whole = os.path.realpath(path) if path.is_symlink() else os.path.join(real, path.name)
        if os.path.commonpath([self.real, whole]) == self.real:
            return path, ""
        return None, LINKED

    def _below(self, name: PurePosixPath) -> list[Path]:
        """The pictures anywhere below whose path ends so, perhaps but for their suffix."""
        ends = self._by_end.get(name.name, [])
        return [path for path in ends if _ends_with(path.relative_to(self.folder), name)]

    @cached_property
    def _by_end(self) -> dict[str, list[Path]]:
        """Every picture below by its name, and by its name without suffix."""
        paths: dict[str, list[Path]] = defaultdict(list)
        for path in self.everything():
            for end in {path.name, self.stem(path)}:
                paths[end].append(path)
        return paths


def _ends_with(path: Path, name: PurePosixPath) -> bool:
    parts = path.parts[-len(name.parts) :]
    return parts[:-1] == name.parts[:-1]


def _problem_of(name: str) -> str:
    """What is wrong with a name by itself."""
    if not name or "\0" in name:
        return NOTHING
    if ADDRESS.match(name):
        return REMOTE
    path = PurePosixPath(name)
    if path.is_absolute() or DRIVE.match(name) or ".." in path.parts:
        return OUTSIDE
    return ""


def is_file(path: Path) -> bool:
    """Whether there is such a file."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def looks_like_pictures(names: Sequence[str]) -> bool:
    """Whether most names end as those of picture files do."""
    return mostly_end(names, tuple(SUFFIXES))


def mostly_end(names: Sequence[str], ends: tuple[str, ...]) -> bool:
    """Whether most names end so; there may be millions, of which a few tell that none does."""
    spread = names[:: max(len(names) // TRIED, 1)]
    if not any(name.lower().endswith(ends) for name in spread):
        return False
    return sum(name.lower().endswith(ends) for name in names) > len(names) / 2


def _named_rows(frame: Frame, column: str) -> Iterator[tuple[str, str]]:
    """What a column names, and how each row is called, split after split."""
    for split, part in frame.splits.items():
        for row, name in enumerate(part[column].tolist()):
            yield name, frame.row(split, row)


def find_files(folder: PictureFolder, frame: Frame, column: str) -> list[Path]:
    """What the names of a column stand for, split after split.

    Raises: DataError with all rows that name nothing, by what is wrong with them.
    """
    paths: list[Path] = []
    problems: dict[str, list[str]] = defaultdict(list)
    for name, row in _named_rows(frame, column):
        path, problem = folder.find(name)
        if path is None:
            problems[problem].append(f"'{name}' ({row})" if name else row)
        else:
            paths.append(path)
    if problems:
        text = "\n".join(
            f"  {_listed(those)} {what.format(noun=folder.noun)}"
            for what, those in problems.items()
        )
        raise DataError(
            f"{frame.name}: rows whose '{column}' is no {folder.noun} in {folder.folder}:\n{text}\n"
            "Expected paths below that folder, with / between folders. Mend or remove these rows."
        )
    return paths


def _listed(rows: list[str]) -> str:
    more = f" and {counted(len(rows) - LISTED, 'more row')}" if len(rows) > LISTED else ""
    return ", ".join(rows[:LISTED]) + more
