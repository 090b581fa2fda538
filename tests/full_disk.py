"""A disk that is full, for one file."""

from __future__ import annotations

from pathlib import Path


def fill(path: Path) -> None:
    """What is next written to the path finds the disk full, as all that is written to /dev/full.

    It is written under a temporary name, which leads there.
    """
    path.with_name(f".{path.name}.partial").symlink_to("/dev/full")
