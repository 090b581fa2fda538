"""A file of rows of many lengths, one long run of bytes: texts that stay on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from allotrope.data.store.row_file import RowFile, SpoiledStore, checksums, runs_of

OFFSETS = "offsets.npy"
"""What the file of an entry is called that says where each row begins, int64 [n + 1]."""


@dataclass(frozen=True, eq=False)
class RunFile:
    """Rows of bytes as uint8 [n, length]: each cut to `length`, or filled with zeros.

    `run` has the bytes of all, one after the other, and a checksum a row; row i begins at
    `offsets[i]`, int64 [n + 1].
    """

    run: RowFile
    offsets: np.ndarray
    length: int

    @classmethod
    def opened(cls, folder: Path) -> RunFile:
        """The rows in the folder of an entry, as long as the longest.

        Raises: SpoiledStore if the files do not fit each other; OSError if there are none.
        """
        try:
            offsets = np.load(folder / OFFSETS, allow_pickle=False)
            if offsets.ndim != 1 or offsets.dtype != np.int64 or not len(offsets):
                raise ValueError(f"its offsets are {offsets.dtype} {list(offsets.shape)}")
        except (ValueError, EOFError) as error:
            raise SpoiledStore(folder, str(error)) from None
        run = RowFile.opened(folder, len(offsets) - 1)
        sizes = np.diff(offsets)
        if (sizes < 0).any() or offsets[0] or offsets[-1] != run.shape[0]:
            raise SpoiledStore(folder, "its offsets do not fit its bytes")
        return cls(run, offsets, int(sizes.max(initial=0)))

    def cut_to(self, length: int) -> RunFile:
        """The same rows, each as long as this."""
        return replace(self, length=length)

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.run.folder

    @property
    def shape(self) -> tuple[int, int]:
        """As of an array."""
        return len(self.offsets) - 1, self.length

    @property
    def dtype(self) -> np.dtype:
        """As of an array."""
        return self.run.dtype

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes in memory."""
        return self.length

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """The bytes of these rows int64 [m], of longer ones `length`; nothing is read."""
        return np.minimum(self.offsets[rows + 1] - self.offsets[rows], self.length)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """These rows [m] in their order: [m, length]. Raises: SpoiledStore."""
        sizes = self.offsets[rows + 1] - self.offsets[rows]
        longest = max(int(sizes.max(initial=0)), self.length)
        whole = np.zeros((len(rows), longest), np.uint8)
        # The places of a row up to its size, row after row, are in the order of the bytes read.
        whole[np.arange(longest) < sizes[:, None]] = self._bytes(rows, int(sizes.sum()))
        # Zeros behind a row add nothing to its checksum.
        wrong = np.flatnonzero(checksums(whole) != self.run.checks[rows])
        if len(wrong):
            raise SpoiledStore(self.folder, f"row {rows[wrong[0]]} is not as it was written")
        return np.ascontiguousarray(whole[:, : self.length])

    def row(self, number: int) -> bytes:
        """All bytes of one row, however long rows are cut. Raises: SpoiledStore."""
        start, end = int(self.offsets[number]), int(self.offsets[number + 1])
        data = np.empty(end - start, np.uint8)
        self.run.read_into(data.data, start)
        if checksums(data[None])[0] != self.run.checks[number]:
            raise SpoiledStore(self.folder, f"row {number} is not as it was written")
        return data.tobytes()

    def _bytes(self, rows: np.ndarray, count: int) -> np.ndarray:
        self.will_need(rows)
        taken, done = np.empty(count, np.uint8), 0
        for start, end in self._places(rows):
            self.run.read_into(taken[done : done + end - start].data, start)
            done += end - start
        return taken

    def will_need(self, rows: np.ndarray) -> None:
        """Tell the system that these rows will be read soon."""
        for start, end in self._places(rows):
            self.run.will_need_part(start, end - start)

    def _places(self, rows: np.ndarray) -> Iterator[tuple[int, int]]:
        """First and last byte, exclusive, of rows that follow each other in the file."""
        for place, end in runs_of(rows):
            yield int(self.offsets[rows[place]]), int(self.offsets[rows[end - 1] + 1])


def opened_rows(folder: Path) -> RowFile | RunFile:
    """The rows of an entry, of one length or of many.

    Raises: SpoiledStore, OSError.
    """
    if (folder / OFFSETS).exists():
        return RunFile.opened(folder)
    return RowFile.opened(folder)
