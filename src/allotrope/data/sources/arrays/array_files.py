"""Arrays in `.npz` and `.npy` files, told by their headers; nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from allotrope.errors import DataError
from allotrope.memory_limit import require_memory

SUFFIXES = (".npz", ".npy")
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class StoredArray:
    """An array in a file: its name and what its header says."""

    name: str
    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray]

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


def loaded(arrays: Iterable[StoredArray]) -> dict[str, np.ndarray]:
    """The arrays by name.

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
    require_memory(
        sum(array.bytes for array in listed), "reading these arrays", "Use fewer or smaller images."
    )
    values = {}
    for array in listed:
        try:
            values[array.name] = array.load()
        # On a broken file zipfile, zlib and numpy may raise anything.
        except Exception as error:  # noqa: BLE001
            raise DataError(
                f"array '{array.name}' is damaged ({error or type(error).__name__})."
            ) from None
    return values


def _in_file(path: Path) -> StoredArray:
    try:
        with path.open("rb") as file:
            shape, dtype = _header(file)
    except Exception as error:  # noqa: BLE001 - numpy may raise anything on a broken file
        raise DataError(
            f"{path}: not a readable .npy file ({error or type(error).__name__}). Write it again "
            "with numpy.save."
        ) from None
    return StoredArray(path.stem, path, shape, dtype, lambda: np.load(path, allow_pickle=False))


def _in_archive(path: Path, with_stem: bool) -> list[StoredArray]:
    """The arrays of an archive; beside others the name of the file is part of theirs."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [name for name in archive.namelist() if name.endswith(".npy")]
            headers = {}
            for name in entries:
                with archive.open(name) as file:
                    headers[name.removesuffix(".npy")] = _header(file)
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
        StoredArray(names[key], path, shape, dtype, _loader(path, key))
        for key, (shape, dtype) in headers.items()
    ]


def _loader(path: Path, key: str) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[key]

    return load


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format")
    shape, _, dtype = HEADERS[version](file)
    return shape, dtype
