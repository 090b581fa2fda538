"""What decoded examples of files are called in the store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

FORMAT = 3


def source_key(prefix: str, root: Path, files: Iterable[Path], *options: object) -> str:
    """A hash of every path below `root`, its times and size, and of `options` such as the size."""
    key = hashlib.blake2b(repr((FORMAT, str(root.resolve()), options)).encode(), digest_size=16)
    for path in files:
        key.update(os.fsencode(path.relative_to(root)) + repr(_state(path)).encode())
    return f"{prefix}{key.hexdigest()}"


def _state(path: Path) -> tuple[int, ...]:
    if not path.exists():  # a link that leads nowhere
        return ()
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size
