"""Locks by which processes tell each other that an entry of the store is in use.

The system takes a lock away when its process ends, however it ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO


def open_shared(path: Path) -> BinaryIO:
    """The file, opened to be read, as one that is in use until it is closed.

    Raises: OSError if there is none, or somebody is removing it.
    """
    file = path.open("rb")
    try:
        _lock(file, alone=False)
    except OSError:
        file.close()
        raise
    return file


def lock_alone(file: BinaryIO) -> bool:
    """Whether nobody else uses the open file; nobody else will until it is closed."""
    try:
        _lock(file, alone=True)
    except OSError:
        return False
    return True


def _lock(file: BinaryIO, alone: bool) -> None:
    """Raises: OSError if another process, or another opening of the file, stands against it."""
    try:
        import fcntl
    except ImportError:  # systems other than Unix do not remove what is open
        return
    kind = fcntl.LOCK_SH
    if alone:
        kind = fcntl.LOCK_EX
    fcntl.flock(file, kind | fcntl.LOCK_NB)
