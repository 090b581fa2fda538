"""Locks by which processes tell each other that an entry of the store is in use.

The system takes a lock away when its process ends, however it ends.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def open_shared(path: Path) -> int:
    """The descriptor of a file that is opened to be read, and is in use until it is closed.

    Raises: OSError if there is none, or somebody is removing it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _lock(descriptor, alone=False)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def lock_alone(file: BinaryIO) -> bool:
    """Whether nobody else uses the open file; nobody else will until it is closed."""
    try:
        _lock(file.fileno(), alone=True)
    except OSError:
        return False
    return True


def _lock(descriptor: int, alone: bool) -> None:
    """Raises: OSError if another process, or another opening of the file, stands against it."""
    try:
        import fcntl
    except ImportError:  # systems other than Unix do not remove what is open
        return
    kind = fcntl.LOCK_SH
    if alone:
        kind = fcntl.LOCK_EX
    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
