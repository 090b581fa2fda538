"""A file of rows of one shape, each with a checksum that is looked at whenever the row is read."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from allotrope.data.store.locks import open_shared
from allotrope.errors import DataError

ROWS, CHECKS = "rows.npy", "checks.npy"
"""What the files of an entry are called."""
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 by the golden ratio, odd (Knuth, The Art of Computer Programming 3, section 6.4)."""
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class SpoiledStore(DataError):
    """An entry of the store that is not as it was written; `folder` is where it lies."""

    def __init__(self, folder: Path, reason: str) -> None:
        """The reason says what was found."""
        super().__init__(
            f"the decoded examples in {folder} cannot be used: {reason}. They are decoded anew "
            "if the command is given again; `allotrope cache --clear` removes them all."
        )
        self.folder, self.reason = folder, reason


@dataclass(frozen=True, eq=False)
class RowFile:
    """Rows [n, …] of a .npy file that is read by rows, and their checksums [n].

    It is not mapped but read (`preadv`): what is read counts as memory only until the batch that it
    is for is gone, and a bounded process stays within its bound. The entry is not removed as long
    as this object lives.
    """

    folder: Path
    descriptor: int
    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    checks: np.ndarray

    def __post_init__(self) -> None:
        # A descriptor, for a file object that is not closed by hand is a warning.
        weakref.finalize(self, os.close, self.descriptor)

    @classmethod
    def opened(cls, folder: Path, checked: int | None = None) -> RowFile:
        """The rows in the folder of an entry; `checked`: how many checksums, if not one a row.

        Raises: SpoiledStore if the files are not as long as they say; OSError if there are none.
        """
        descriptor = open_shared(folder / ROWS)
        try:
            with open(descriptor, "rb", closefd=False) as file:
                shape, dtype = _header(file)
                start = file.tell()
            checks = np.load(folder / CHECKS, allow_pickle=False)
            _check_lengths(os.fstat(descriptor).st_size - start, shape, dtype)
            _check_checks(checks, shape[0] if checked is None else checked)
        except (ValueError, EOFError, FileNotFoundError) as error:
            os.close(descriptor)
            raise SpoiledStore(folder, str(error)) from None
        return cls(folder, descriptor, shape, dtype, start, checks)

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def read(self, rows: np.ndarray) -> np.ndarray:
        """A copy of these rows [m], in their order: [m, …]. Raises: SpoiledStore."""
        taken = np.empty((len(rows), *self.shape[1:]), self.dtype)
        if not taken.size:
            return taken
        flat = taken.reshape(len(rows), -1).view(np.uint8)
        # What was foreseen may be gone again from the system's cache where memory is scarce: then
        # the disk fetches all rows side by side, and not each when its turn comes.
        self.will_need(rows)
        # A page of a column is one run, rows in a random order are nearly as many as rows.
        for place, end in runs_of(rows):
            self.read_into(flat[place:end].data.cast("B"), int(rows[place]))
        self._check(flat, rows)
        return taken

    def will_need(self, rows: np.ndarray) -> None:
        """Tell the system that these rows will be read soon: the disk fetches them side by side."""
        for place, end in runs_of(rows):
            self.will_need_part(int(rows[place]), end - place)

    def will_need_part(self, row: int, count: int) -> None:
        """Tell the system that so many rows from this one on will be read soon."""
        if not hasattr(os, "posix_fadvise"):
            return
        where = self.start + row * self.row_bytes
        os.posix_fadvise(self.descriptor, where, count * self.row_bytes, os.POSIX_FADV_WILLNEED)

    def read_into(self, target: memoryview, row: int) -> None:
        """Read as many bytes as fit, from a row on. Raises: SpoiledStore."""
        where, done = self.start + row * self.row_bytes, 0
        while done < len(target):
            count = os.preadv(self.descriptor, [target[done:]], where + done)
            if not count:
                raise SpoiledStore(self.folder, f"it ends before row {row}")
            done += count

    def _check(self, flat: np.ndarray, rows: np.ndarray) -> None:
        # Looked at here and not once at the beginning: that would read all of it one time more,
        # and tell nothing of what happens to the file during a training of hours.
        wrong = np.flatnonzero(checksums(flat) != self.checks[rows])
        if len(wrong):
            raise SpoiledStore(self.folder, f"row {rows[wrong[0]]} is not as it was written")


def checksums(flat: np.ndarray) -> np.ndarray:
    """A checksum uint64 [n] of each row of bytes uint8 [n, m].

    The sum of words of 8 bytes, each times an odd number of its own, modulo 2^64: an odd number has
    an inverse, so that no change within one word goes unseen. One call for all rows: Python's lock
    is let go and taken again once, where a function of a row would do it for each.
    """
    count, length = flat.shape
    lacking = -length % 8
    if lacking:
        flat = np.concatenate([flat, np.zeros((count, lacking), np.uint8)], axis=1)
    words = np.ascontiguousarray(flat).view("<u8")
    odd = 2 * np.arange(words.shape[1], dtype=np.uint64) + np.uint64(1)
    return np.asarray(words @ (odd * MULTIPLIER), np.uint64)


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format")
    shape, _, dtype = HEADERS[version](file)
    return shape, dtype


def _check_lengths(there: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
    wanted = math.prod(shape) * dtype.itemsize
    if there != wanted:
        raise ValueError(f"its rows take {there:,} bytes, and {wanted:,} are expected")


def _check_checks(checks: np.ndarray, count: int) -> None:
    if checks.shape != (count,) or checks.dtype != np.uint64:
        raise ValueError(f"its checksums are {checks.dtype} {list(checks.shape)}")


def runs_of(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last place, exclusive, of rows that follow each other in the file."""
    if not len(rows):
        return
    ends = np.flatnonzero(np.diff(rows) != 1) + 1
    yield from zip([0, *ends.tolist()], [*ends.tolist(), len(rows)], strict=True)
