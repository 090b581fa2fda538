"""Files that a crash cannot spoil, and plain words if one cannot be written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from allotrope.errors import RunFolderError

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; choose another folder with --out",
    errno.EACCES: "writing there is not permitted; choose another folder with --out",
    errno.EPERM: "writing there is not permitted; choose another folder with --out",
    errno.EEXIST: "a file of that name is in the way; choose another folder with --out",
    errno.EISDIR: "a folder of that name is in the way; choose another name with --out",
    errno.ENOENT: "the folder is gone; choose another with --out",
    errno.ENOTDIR: "a part of the path is a file; choose another folder with --out",
    errno.ENAMETOOLONG: "the path is too long; choose another folder with --out",
}


def replace_file(path: Path, content: bytes) -> None:
    """Puts `content` at `path` so that a crash leaves the old or the new content, never a part.

    Raises: RunFolderError where it cannot be written; the old content is then still there.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file under a temporary name that takes the place of `path` at the end, synced.

    Of an unfinished one nothing is left.

    Raises: RunFolderError where it cannot be written; the old content is then still there.
    """
    temporary = path.with_name(f".{path.name}.partial")
    with writing(path):
        try:
            with open(temporary, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the system says of `path` into a RunFolderError that names the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        where = error.filename or path
        raise RunFolderError(
            f"'{where}' cannot be written: {_REMEDIES[error.errno]}. What was saved before is "
            "still there."
        ) from error


def sync_folder(folder: Path) -> None:
    """Makes what was created or renamed in the folder survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
