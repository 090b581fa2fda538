"""The folder of the store: what lies in it, and what is removed so that it keeps its size."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from allotrope.data.store.locks import lock_alone
from allotrope.data.store.row_file import ROWS
from allotrope.data.store.store_writer import FACTS, UNFINISHED
from allotrope.errors import DataError

USUAL_SIZE = 20_000_000_000
"""Bytes that all entries together may take, if nothing else is asked for."""
LEFT_FREE = 500_000_000
"""Bytes of the disk that are left to others."""
JUST_BEGUN = 60.0
"""Seconds in which a folder that is being written may have no file yet."""
PREFIX, TEXTS, ROWS_OF_TABLES = "pictures-", "texts-", "rows-"
ARRAYS, VOLUMES = "arrays-", "volumes-"
"""How the names of entries begin."""


def store_folder() -> Path:
    """`$ALLOTROPE_CACHE`, or `~/.cache/allotrope`.

    Raises: DataError where there is no home folder.
    """
    try:
        return Path(os.environ.get("ALLOTROPE_CACHE") or "~/.cache/allotrope").expanduser()
    except RuntimeError:
        raise DataError(
            "there is no home folder to keep decoded examples in. Set ALLOTROPE_CACHE to a "
            "folder for them."
        ) from None


@dataclass(frozen=True)
class StoredEntry:
    """Decoded examples of one source: where they lie, how many bytes they take, when used last."""

    path: Path
    bytes: int
    used: float

    @property
    def is_unfinished(self) -> bool:
        """Whether it is being written, or was left behind by a kill."""
        return self.path.name.startswith(UNFINISHED)


def entries(folder: Path) -> list[StoredEntry]:
    """What lies in the folder, that which was used longest ago first; nothing if there is none."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return []
    begun = PREFIX, TEXTS, ROWS_OF_TABLES, ARRAYS, VOLUMES, UNFINISHED
    own = [path for path in paths if path.name.startswith(begun)]
    return sorted((entry_of(path) for path in own), key=lambda entry: entry.used)


def entry_of(path: Path) -> StoredEntry:
    """A file or folder of the store, with its size and when it was used last."""
    # What another process removes meanwhile takes nothing.
    sizes, used = [0], 0.0
    for file in (path, *(path.iterdir() if path.is_dir() else ())):
        try:
            status = file.stat()
        except OSError:
            continue
        sizes.append(status.st_size if file.is_file() else 0)
        used = max(used, status.st_mtime if file == path else 0.0)
    return StoredEntry(path, sum(sizes), used)


def title(entry: StoredEntry) -> str:
    """What the entry holds, as it was said when it was written."""
    try:
        facts = json.loads((entry.path / FACTS).read_bytes())
        return str(facts["title"])
    except (OSError, ValueError, KeyError, TypeError):
        if entry.is_unfinished:
            return "unfinished"
        return entry.path.name


def mark_used(path: Path) -> None:
    """The entry is the one that was used last."""
    try:
        os.utime(path)
    except OSError:  # of another user: its age is then that of its making
        return


def remove(entry: StoredEntry, now: Callable[[], float] = time.time) -> bool:
    """Remove an entry, unless it is in use; whether it is gone."""
    path = entry.path
    if path.is_file():  # of an older version
        path.unlink(missing_ok=True)
        return True
    try:
        with (path / ROWS).open("rb") as file:
            if not lock_alone(file):
                return False
            shutil.rmtree(path, ignore_errors=True)
    except FileNotFoundError:
        if entry.is_unfinished and now() - entry.used < JUST_BEGUN:
            return False
        shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def discard(path: Path) -> None:
    """Remove an entry that is no good. Who uses it may go on: what is open stays until closed."""
    shutil.rmtree(path, ignore_errors=True)


def make_room(folder: Path, needed: int, size: int) -> list[StoredEntry]:
    """Remove what was left behind, and what was used longest ago if all is to fit in `size` bytes.

    What was removed is given back.
    """
    there = entries(folder)
    removed = [entry for entry in there if entry.is_unfinished and remove(entry)]
    finished = [entry for entry in there if not entry.is_unfinished]
    excess = needed + sum(entry.bytes for entry in finished) - size
    for entry in finished:
        if excess > 0 and remove(entry):
            removed.append(entry)
            excess -= entry.bytes
    return removed


def free_bytes(folder: Path) -> int:
    """What the disk has left where the folder is, or is to be made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


def total(listed: Sequence[StoredEntry]) -> int:
    """Bytes of all of them."""
    return sum(entry.bytes for entry in listed)
