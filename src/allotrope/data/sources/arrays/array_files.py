"""Arrays in `.npz` and `.npy` files, told by their headers; nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

from allotrope.data.sources.arrays.unpacked import Opened, Unpacker
from allotrope.errors import DataError
from allotrope.memory_limit import data_limit, require_memory

SUFFIXES = (".npz", ".npy")
Value = TypeVar("Value")
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class StoredArray:
    """An array in a file: its name and what its header says.

    `offset` is where its values lie in the file as they are, None if they are compressed or lie in
    another order; `opened` reads values that are compressed.
    """

    name: str
    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray]
    offset: int | None = None
    opened: Opened | None = None

    def mapped(self, unpacker: Unpacker) -> np.ndarray | None:
        """The array without reading it, if it is more than is held in memory and lies there so.

        Raises: whatever decompressing it does.
        """
        if self.offset is None and self.opened is not None:
            return unpacker.mapped(self.path, self.name, self.shape, self.dtype, self.opened)
        if self.offset is None or self.bytes <= data_limit():
            return None
        if self.offset + self.bytes > self.path.stat().st_size:
            return None  # loading it says what is wrong
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.name} {list(self.shape)} {self.dtype}"


def stored_arrays(paths: Iterable[Path]) -> list[StoredArray]:
    """The arrays in these files; one that is alone in a file is called as the file is.

    Raises: DataError for a damaged file.
    """
    listed = sorted(paths)
    arrays = []
    for path in listed:
        if path.suffix.lower() == ".npy":
            arrays.append(_in_file(path))
        else:
            arrays += _in_archive(path, with_stem=len(listed) > 1)
    return arrays


def loaded(arrays: Iterable[StoredArray], unpacker: Unpacker) -> dict[str, np.ndarray]:
    """The arrays by name; those that are more than the memory are mapped.

    Raises: DataError for pickled objects, damage, or what would not fit in memory.
    """
    listed = list(arrays)
    for array in listed:
        if array.dtype.hasobject:
            raise DataError(
                f"array '{array.name}' holds pickled Python objects, which are never loaded "
                "because they can run code. Store it as numbers or texts, for example with "
                "numpy.asarray(x, dtype='uint8')."
            )
    mapped = {array.name: _sound(array, lambda one: one.mapped(unpacker)) for array in listed}
    held = [array.bytes for array in listed if mapped[array.name] is None]
    remedy = "Use fewer or smaller images, or store them by numpy.save: such are read by parts."
    require_memory(sum(held), "reading these arrays", remedy)
    values = {}
    for array in listed:
        on_disk = mapped[array.name]
        values[array.name] = _sound(array, _loaded) if on_disk is None else on_disk
    return values


def _loaded(array: StoredArray) -> np.ndarray:
    return array.load()


def _sound(array: StoredArray, read: Callable[[StoredArray], Value]) -> Value:
    """What reading an array gives. Raises: DataError if it is damaged."""
    try:
        return read(array)
    except DataError:
        raise
    # On a broken file zipfile, zlib and numpy may raise anything.
    except Exception as error:  # noqa: BLE001
        raise DataError(
            f"array '{array.name}' is damaged ({error or type(error).__name__})."
        ) from None


def _in_file(path: Path) -> StoredArray:
    try:
        with path.open("rb") as file:
            shape, dtype, ordered = _header(file)
            offset = file.tell() if ordered else None
    except Exception as error:  # noqa: BLE001 - numpy may raise anything on a broken file
        raise DataError(
            f"{path}: not a readable .npy file ({error or type(error).__name__}). Write it again "
            "with numpy.save."
        ) from None
    load = partial(np.load, path, allow_pickle=False)
    return StoredArray(path.stem, path, shape, dtype, load, offset)


def _in_archive(path: Path, with_stem: bool) -> list[StoredArray]:
    """The arrays of an archive; beside others the name of the file is part of theirs."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [name for name in archive.namelist() if name.endswith(".npy")]
            headers = {}
            for name in entries:
                with archive.open(name) as file:
                    shape, dtype, ordered = _header(file)
                    inner = file.tell()
                offset = _place(path, archive.getinfo(name)) if ordered else None
                where = None if offset is None else offset + inner
                opened = partial(_opened, path, name, inner) if ordered and shape else None
                headers[name.removesuffix(".npy")] = shape, dtype, where, opened
    # On a broken file zipfile and numpy may raise anything.
    except Exception as error:  # noqa: BLE001
        raise DataError(
            f"{path}: not a readable .npz file ({error or type(error).__name__}). Write it again "
            "with numpy.savez."
        ) from None
    names = {key: f"{path.stem}_{key}" if with_stem else key for key in headers}
    if with_stem and len(headers) == 1:
        names = dict.fromkeys(headers, path.stem)
    return [
        StoredArray(names[key], path, shape, dtype, _loader(path, key), offset, opened)
        for key, (shape, dtype, offset, opened) in headers.items()
    ]


@contextmanager
def _opened(path: Path, name: str, inner: int) -> Iterator[IO[bytes]]:
    """An entry of an archive from where its values begin."""
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        file.read(inner)
        yield file


def _place(path: Path, entry: zipfile.ZipInfo) -> int | None:
    """Where the bytes of an archive's entry begin, if they are not compressed.

    Format: a local header of 30 bytes, in which two numbers of 2 bytes at 26 say how long the name
    and what follows it are (APPNOTE.TXT of ZIP, section 4.3.7).
    """
    if entry.compress_type != zipfile.ZIP_STORED:
        return None
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(30)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return entry.header_offset + 30 + lengths


def _loader(path: Path, key: str) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[key]

    return load


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, dtype, and whether the first axis is the slowest."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format")
    shape, turned, dtype = HEADERS[version](file)
    return shape, dtype, not turned
