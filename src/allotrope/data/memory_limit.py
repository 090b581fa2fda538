"""Refuses data that would not fit in this machine's memory, before it is read."""

from __future__ import annotations

import os

from allotrope.errors import DataError


def require_memory(needed: int, what: str, remedy: str) -> None:
    """Raises DataError if `needed` bytes are more than half of this machine's memory.

    Splitting copies the examples once.
    """
    half = _physical_memory() // 2
    if needed > half:
        raise DataError(
            f"{what} needs {needed / 1e9:.1f} GB of memory; at most {half / 1e9:.1f} GB, half of "
            f"this machine's, is used. {remedy}"
        )


def _physical_memory() -> int:
    if not hasattr(os, "sysconf"):
        # Windows does not say without another library; a generous guess stops absurd sizes.
        return 64_000_000_000
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
