"""Writes an entry of the store, row by row: it is there whole, or it is not there."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from allotrope.data.store.locks import lock_alone
from allotrope.data.store.row_file import CHECKS, ROWS, checksums
from allotrope.storage import sync_folder

FACTS = "facts.json"
UNFINISHED = ".unfinished-"
"""How the names of folders begin that are being written, or were left behind by a kill."""
BUFFER = 1 << 20


Writer = TypeVar("Writer", bound="StoreWriter")


class StoreWriter:
    """Takes rows of one shape and dtype, one after the other."""

    def __init__(
        self, folder: Path, file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype
    ) -> None:
        self.folder, self._file, self._shape, self._dtype = folder, file, shape, dtype
        self._checks = array("Q")
        self._write_header()
        self._start = file.tell()

    @property
    def count(self) -> int:
        """How many rows there are by now."""
        return len(self._checks)

    def append(self, row: np.ndarray) -> None:
        """One more row. Raises: OSError."""
        self.extend(row[None])

    def extend(self, rows: np.ndarray) -> None:
        """Several more rows [n, …]. Raises: OSError."""
        data = np.ascontiguousarray(rows, self._dtype).reshape(len(rows), -1).view(np.uint8)
        self._file.write(data.data)
        self._checks.frombytes(checksums(data).tobytes())

    def finish(self, facts: dict[str, Any]) -> None:
        """All of it on the disk. Raises: OSError."""
        # Only now it is known how many rows there are: some pictures cannot be read.
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._start:  # NumPy leaves room for longer counts of rows
            raise OSError(f"the header of {self._file.name} does not fit its place")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._write(CHECKS, lambda file: np.save(file, np.array(self._checks, np.uint64)))
        self._write(FACTS, lambda file: file.write(json.dumps(facts).encode()))

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.count, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def _write(self, name: str, write: Any) -> None:
        with (self.folder / name).open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def writing_entry(folder: Path, shape: tuple[int, ...], dtype: np.dtype) -> Iterator[StoreWriter]:
    """As `writing`, of rows of one shape. Raises: OSError."""
    with writing(folder, lambda part, file: StoreWriter(part, file, shape, dtype)) as writer:
        yield writer


@contextmanager
def writing(folder: Path, made: Callable[[Path, BinaryIO], Writer]) -> Iterator[Writer]:
    """The entry `folder`, which takes its name when `finish` was called and nothing went wrong.

    Another process may have written the same meanwhile: then that one stays. Nothing is left of
    what is not finished. Raises: OSError.
    """
    root = folder.parent
    root.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=root))
    try:
        with (temporary / ROWS).open("w+b", buffering=BUFFER) as file:
            # The lock goes with the file when the folder is renamed, and ends with the process.
            lock_alone(file)
            yield made(temporary, file)
            if (temporary / FACTS).is_file():
                _take_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_place(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        # The same was written by another process meanwhile.
        if not (folder / FACTS).is_file():
            raise
    sync_folder(folder.parent)
