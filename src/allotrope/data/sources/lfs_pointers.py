"""Files that only point to what they stand for, as a clone without Git LFS has them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from allotrope.data.encodings import shown
from allotrope.errors import DataError

BEGINNINGS = (b"version https://git-lfs", b"version https://hawser")
LARGEST = 1024
"""Bytes of a pointer, at the most (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md)."""
LOOKED_AT, LISTED = 10_000, 5
SAID = (
    "a pointer of Git LFS, not the file that it stands for. Fetch the files themselves with "
    "'git lfs pull', or download them again."
)


def is_pointer(path: Path) -> bool:
    """Whether a file is a pointer of Git LFS."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return False
        with path.open("rb") as file:
            return file.read(len(BEGINNINGS[0])).startswith(BEGINNINGS)
    except OSError:
        return False


def named_pointers(source: Path, error: DataError) -> DataError:
    """The error; or, if there are pointers among the files, one that names them."""
    files = [source] if source.is_file() else islice(source.rglob("*"), LOOKED_AT)
    pointers = [path for path in files if is_pointer(path)]
    if not pointers:
        return error
    if source.is_file():
        return DataError(f"{source}: is {SAID}")
    listed = ", ".join(shown(path, source) for path in sorted(pointers)[:LISTED])
    more = f" and {len(pointers) - LISTED:,} more" if len(pointers) > LISTED else ""
    return DataError(f"{source}: {listed}{more}: each is {SAID}")
