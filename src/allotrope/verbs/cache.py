"""`cache`: what decoded examples and times of kernels lie on disk, and their removal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.config import bytes_text
from allotrope.errors import DataError
from allotrope.option import Option
from allotrope.verbs.declaring import takes
from allotrope.wording import counted

if TYPE_CHECKING:
    from allotrope.data.store.store_folder import StoredEntry

DAY = 86_400


@dataclass(frozen=True)
class Cached:
    """What lies in the cache, in `json`; printed, it is a line an entry."""

    json: dict[str, Any]

    def __str__(self) -> str:
        listed = self.json["entries"]
        what = f"{counted(len(listed), 'entry')}, {bytes_text(self.json['bytes'])}"
        lines = [f"{self.json['folder']}: {what}"]
        if self.json["removed"]:
            gone = self.json["removed"]
            size = bytes_text(sum(entry["bytes"] for entry in gone))
            lines.append(f"removed {counted(len(gone), 'entry')}, {size}")
        for entry in listed:
            lines.append(
                f"  {bytes_text(entry['bytes']):>8}  used {_ago(entry['age'])}  {entry['title']}"
            )
        if listed and not self.json["cleared"]:
            again = "what is lost is decoded, or measured, again"
            lines.append(f"allotrope cache --clear removes all of it; {again}")
        return "\n".join(lines)


CACHE = (Option("clear", "remove all that is not in use."),)


@takes(CACHE)
def cache(clear: bool = False) -> Cached:
    """Say what lies on disk to be used again, how much it takes, and when it was used last.

    Decoded examples are put there so that nothing is decoded twice, and are read from there in
    training if they do not fit in memory; times of kernels, so that nothing is measured twice. The
    folder is ~/.cache/allotrope, or ALLOTROPE_CACHE if that is set; --cache-size of the verbs that
    train says how much the examples may hold.

    Example: allotrope cache --clear

    Raises: DataError if something cannot be removed.
    """
    from allotrope.data.store.store_folder import store_folder, total

    folder = store_folder()
    there = _entries(folder)
    removed = _removed(there) if clear else []
    left = _entries(folder) if clear else there
    return Cached(
        {
            "folder": str(folder),
            "bytes": total(left),
            "entries": [_facts(entry) for entry in left],
            "removed": [_facts(entry) for entry in removed],
            "cleared": clear,
        }
    )


def _entries(folder: Path) -> list[StoredEntry]:
    """Decoded examples, then times of kernels."""
    from allotrope.data.store.store_folder import entries, entry_of
    from allotrope.shrinking.kernel_table import kernel_tables

    return [*entries(folder), *map(entry_of, kernel_tables(folder))]


def _removed(there: Sequence[StoredEntry]) -> list[StoredEntry]:
    from allotrope.data.store.store_folder import remove

    try:
        return [entry for entry in there if remove(entry)]
    except OSError as error:
        raise DataError(
            f"'{error.filename}' cannot be removed: {error.strerror}. Give yourself write access "
            "to it."
        ) from None


def _facts(entry: StoredEntry) -> dict[str, Any]:
    return {
        "path": str(entry.path),
        "title": _title(entry),
        "bytes": entry.bytes,
        "age": max(0.0, time.time() - entry.used),
        "finished": not entry.is_unfinished,
    }


def _title(entry: StoredEntry) -> str:
    from allotrope.data.store.store_folder import title
    from allotrope.shrinking.kernel_table import title_of_table

    if entry.path.is_file() and entry.path.suffix == ".json":
        return title_of_table(entry.path)
    return title(entry)


def _ago(seconds: float) -> str:
    if seconds < DAY:
        return f"{seconds / 3600:4.1f} h ago"
    return f"{seconds / DAY:4.0f} d ago"
