"""Refuses data that would not fit in this machine's memory, before it is read."""

from __future__ import annotations

import os

from allotrope.errors import DataError


def require_memory(needed: int, what: str, remedy: str) -> None:
    """Raises DataError where `needed` bytes are more than half of this machine's memory (splitting copies the images once)."""
    half = _physical_memory() // 2
    if needed > half:
        raise DataError(
            f"{what} needs {needed / 1e9:.1f} GB of memory; at most {half / 1e9:.1f} GB, half of this machine's, is used. {remedy}"
        )


def _physical_memory() -> int:
    if not hasattr(os, "sysconf"):  # Windows does not say without another library; a generous guess still stops absurd sizes
        return 64_000_000_000
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
