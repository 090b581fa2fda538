"""How much memory this process may have, and what is refused because it would take more."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

from allotrope.config import bytes_text, parse_bytes
from allotrope.errors import DataError, UsageError

MEMORY_LIMIT = "ALLOTROPE_MEMORY_LIMIT"
"""The environment variable that says how large one array may be, such as 16GB."""
_SHARE = 4
"""One array may take a quarter of the memory: what is computed from it, and copies, need their own.
"""
UNKNOWN = 32 * 2**30
"""What is taken for the memory if the system does not say: a generous guess stops absurd sizes."""
GROUPS = Path("/proc/self/cgroup")
GROUP_FOLDER = Path("/sys/fs/cgroup")


def memory_limit() -> int:
    """The most bytes one array may take: `MEMORY_LIMIT`, else a quarter of the memory.

    A network that asks for a larger one is refused; examples that take more stay on disk.
    Raises: UsageError where `MEMORY_LIMIT` is no size.
    """
    said = os.environ.get(MEMORY_LIMIT, "")
    if not said:
        return memory() // _SHARE
    try:
        return parse_bytes(said)
    except UsageError as error:
        raise UsageError(f"{MEMORY_LIMIT}: {error}") from error


def require_memory(needed: int, what: str, remedy: str) -> None:
    """Raises DataError if `needed` bytes are more than half of the memory.

    Splitting copies the examples once.
    """
    half = memory() // 2
    if needed > half:
        raise DataError(
            f"{what} needs {bytes_text(needed)} of memory; at most {bytes_text(half)}, half of "
            f"what there is for this process, is used. {remedy}"
        )


def memory() -> int:
    """Bytes of memory that this process can have: the machine's, or fewer if it is bounded.

    Bounds are those of the process itself (`ulimit`), and those of its control groups, by which
    containers and batch systems bound it.
    """
    return min([_machine(), *_of_process(), *_of_groups()])


def _machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # systems other than Unix do not say
        return UNKNOWN


def _of_process() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # systems other than Unix have none
        return
    for bound in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        allowed, _ = resource.getrlimit(bound)
        if allowed != resource.RLIM_INFINITY:
            yield allowed


@functools.cache
def _of_groups() -> tuple[int, ...]:
    # Read once: a network asks before each large array.
    return tuple(group_limits())


def group_limits(groups: Path = GROUPS, folder: Path = GROUP_FOLDER) -> Iterator[int]:
    """The limits of the control groups that `groups` lists, and of those above them.

    Format: a line `number:controllers:path` a hierarchy (cgroups(7)); in that of version 2 no
    controllers are listed. A limit of version 2 may be `max`; of version 1 it is then a number
    beyond all memory.
    """
    try:
        lines = groups.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            yield from _limits(folder, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits(folder / "memory", path, "memory.limit_in_bytes")


def _limits(root: Path, path: str, name: str) -> Iterator[int]:
    # In a container the path may be that of the machine, of which only the root is seen.
    inner = root / path.strip("/")
    for group in (inner, *inner.parents):
        try:
            said = (group / name).read_text(encoding="ascii").strip()
        except OSError:
            said = ""
        if said.isdecimal():
            yield int(said)
        if group == root:
            return
