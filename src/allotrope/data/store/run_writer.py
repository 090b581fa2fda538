"""Writes rows of many lengths as an entry of the store: it is there whole, or it is not there."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from allotrope.data.store.row_file import checksums
from allotrope.data.store.run_file import OFFSETS
from allotrope.data.store.store_writer import StoreWriter, writing

AT_ONCE = 1 << 22
"""Bytes that are written at a time, about: a checksum of each row for itself takes longer."""


class RunWriter(StoreWriter):
    """Takes rows of bytes, one after the other."""

    def __init__(self, folder: Path, file: BinaryIO) -> None:
        """Writes to an open file in the folder."""
        self._sizes, self._waiting, self._total = array("q"), list[bytes](), 0
        self._waiting_bytes = 0
        super().__init__(folder, file, (), np.dtype(np.uint8))

    @property
    def count(self) -> int:
        """Bytes in all, for the file is a row of these."""
        return self._total

    def add(self, row: bytes) -> None:
        """One more row. Raises: OSError."""
        self._waiting.append(row)
        self._waiting_bytes += max(len(row), 1)
        if self._waiting_bytes > AT_ONCE:
            self._write_waiting()

    def finish(self, facts: dict[str, Any]) -> None:
        """All of it on the disk. Raises: OSError."""
        # The offsets before the facts, which say that an entry is whole.
        self._write_waiting()
        offsets = np.cumsum([0, *self._sizes], dtype=np.int64)
        self._write(OFFSETS, lambda file: np.save(file, offsets))
        super().finish(facts)

    def _write_waiting(self) -> None:
        rows = self._waiting
        if rows:
            self._file.write(b"".join(rows))
            for part in _alike(rows):
                self._checks.extend(checksums(_padded(part)).tolist())
        self._sizes.extend(map(len, rows))
        self._total += sum(map(len, rows))
        self._waiting, self._waiting_bytes = [], 0


def _alike(rows: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The rows so many at a time that the longest fills up little memory."""
    # A single text of megabytes among many short ones would fill up all of them.
    each = max(map(len, rows)) + 1
    count = max(1, AT_ONCE // each)
    for start in range(0, len(rows), count):
        yield rows[start : start + count]


def _padded(rows: Sequence[bytes]) -> np.ndarray:
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    longest = int(sizes.max(initial=0))
    whole = np.zeros((len(rows), longest), np.uint8)
    whole[np.arange(longest) < sizes[:, None]] = np.frombuffer(b"".join(rows), np.uint8)
    return whole


@contextmanager
def writing_runs(folder: Path) -> Iterator[RunWriter]:
    """As `writing_entry`, of rows of many lengths. Raises: OSError."""
    with writing(folder, RunWriter) as writer:
        yield writer
