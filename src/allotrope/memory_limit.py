"""How much memory this process may have, and what is refused because it would take more."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from allotrope.config import bytes_text, parse_bytes
from allotrope.errors import DataError, UsageError

MEMORY_LIMIT = "ALLOTROPE_MEMORY_LIMIT"
"""The environment variable that says how large one array of a network may be, such as 16GB."""
DATA_LIMIT = "ALLOTROPE_DATA_LIMIT"
"""The environment variable that says how large decoded data may be that is held in memory."""
_SHARE = 4
"""One array may take a quarter of the memory: what is computed from it, and copies, need their own.
"""
AT_ONCE, FEWEST = 3_200_000, 16
"""Bytes of raw examples that are computed with at a time, at the most, and how many examples even
so: the layers of a network make of each byte some hundred bytes."""
UNKNOWN = 32 * 2**30
"""What is taken for the memory if the system does not say: a generous guess stops absurd sizes."""
GROUPS = Path("/proc/self/cgroup")
GROUP_FOLDER = Path("/sys/fs/cgroup")


class Sized(Protocol):
    """An array, or what answers like one."""

    @property
    def nbytes(self) -> int:
        """What all of it takes in memory."""

    def __len__(self) -> int:
        """How many rows it has."""


def memory_limit() -> int:
    """The most bytes one array of a network may take, else it is refused.

    Raises: UsageError where `MEMORY_LIMIT` is no size.
    """
    return _said_or_share(MEMORY_LIMIT)


def data_limit() -> int:
    """The most bytes of decoded data that are held in memory; more than that stay on disk.

    Raises: UsageError where `DATA_LIMIT` is no size.
    """
    return _said_or_share(DATA_LIMIT)


def fits(count: int) -> bool:
    """Whether so many bytes of examples are held in memory as a whole."""
    return count <= data_limit()


def _said_or_share(variable: str) -> int:
    """What the environment says, else a quarter of the memory."""
    said = os.environ.get(variable, "")
    if not said:
        return memory() // _SHARE
    try:
        return parse_bytes(said)
    except UsageError as error:
        raise UsageError(f"{variable}: {error}") from error


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


def examples_at_once(columns: Mapping[str, Sized], most: int) -> int:
    """How many of these examples to compute with at a time: `most`, and of large ones fewer."""
    count = max(len(column) for column in columns.values())
    each = max(1, sum(column.nbytes for column in columns.values()) // max(count, 1))
    return min(most, max(FEWEST, AT_ONCE // each))


def give_back() -> None:
    """Memory that is free again goes back to the system, for processes that are started now."""
    with contextlib.suppress(OSError, AttributeError):  # it is GNU's alone
        ctypes.CDLL(None).malloc_trim(0)


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
