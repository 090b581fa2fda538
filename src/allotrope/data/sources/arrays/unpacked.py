"""Compressed arrays that are more than the memory: decompressed by parts, on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from allotrope.config import DataOptions, bytes_text
from allotrope.data.encodings import printable
from allotrope.data.store.row_file import ROWS, RowFile
from allotrope.data.store.source_key import source_key
from allotrope.data.store.store import NoRoom, Store, raised_apart
from allotrope.data.store.store_folder import ARRAYS
from allotrope.data.store.store_writer import writing_entry
from allotrope.memory_limit import data_limit, fits

Report = Callable[[str], None]
Opened = Callable[[], AbstractContextManager[IO[bytes]]]
AT_ONCE = 4_000_000
"""Bytes that are decompressed at a time, about."""


class OddLength(ValueError):
    """Values that are more than a header says, or fewer: `there` are their bytes then."""

    def __init__(self, there: int | None) -> None:
        super().__init__("more values than its header says")
        if there is not None:
            self.args = (f"its values end after {there:,} bytes",)
        self.there = there


@dataclass(frozen=True)
class Unpacker:
    """Where compressed arrays are decompressed, None if nothing is to be put on disk."""

    store: Store | None
    report: Report

    @classmethod
    def asked_for(cls, options: DataOptions, report: Report) -> Unpacker:
        """The place that the options say."""
        return cls(Store.asked_for(options.cache_size), report)

    def mapped(
        self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype, opened: Opened
    ) -> np.ndarray | None:
        """The array whose values `opened` reads from a file, mapped from disk.

        None if it is held in memory as well, or there is no room for it on disk, which is said.
        Raises: OddLength, and whatever reading the values does.
        """
        size = math.prod(shape) * dtype.itemsize
        if self.store is None or dtype.hasobject or fits(size):
            return None
        key = source_key(ARRAYS, path.parent, [path], name)
        title = f"'{name}' of {printable(path.name)}"
        if self.store.opened(key, self.report) is None:
            try:
                self._write(self.store, key, title, shape, dtype, opened)
            except NoRoom as error:
                self.report(f"{title} is read into memory, as there is no room on disk: {error}")
                return None
        # Mapped, not read: images are brought to bytes by pages, and then lie there once more.
        folder = self.store.folder / key
        file = RowFile.opened(folder)
        return np.memmap(folder / ROWS, file.dtype, "r", file.start, file.shape)

    def _write(
        self,
        store: Store,
        key: str,
        title: str,
        shape: tuple[int, ...],
        dtype: np.dtype,
        opened: Opened,
    ) -> None:
        size = math.prod(shape) * dtype.itemsize
        store.check_room(size)
        self.report(
            f"{title} takes {bytes_text(size)} decompressed, more than the "
            f"{bytes_text(data_limit())} that are held in memory, and is decompressed to "
            f"{store.folder / key} (--cache-size says how much may lie there)"
        )
        with store.refusals(), writing_entry(store.folder / key, shape[1:], dtype) as writer:
            for rows in raised_apart(_rows(opened, shape, dtype)):
                writer.extend(rows)
            writer.finish({"title": title})


def _rows(opened: Opened, shape: tuple[int, ...], dtype: np.dtype) -> Iterator[np.ndarray]:
    """The rows of an array, some at a time. Raises: OddLength."""
    each = math.prod(shape[1:]) * dtype.itemsize
    count = max(1, AT_ONCE // max(each, 1))
    with opened() as file:
        for start in range(0, shape[0], count):
            wanted = min(count, shape[0] - start)
            data = _read(file, wanted * each)
            if len(data) < wanted * each:
                raise OddLength(start * each + len(data))
            yield np.frombuffer(data, dtype).reshape(wanted, *shape[1:])
        # Reading to the end also looks at the checksum of what was compressed.
        if file.read(1):
            raise OddLength(None)


def _read(file: IO[bytes], count: int) -> bytes:
    """So many bytes; fewer at the end of the file."""
    parts, there = [], 0
    while part := file.read(count - there):
        parts.append(part)
        there += len(part)
    return b"".join(parts)
