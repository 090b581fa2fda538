"""Reads IDX files, the format of MNIST and its relatives: `train-images-idx3-ubyte.gz` …."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable, read_class_names
from allotrope.data.reading import Reading
from allotrope.data.sources.arrays.read_arrays import reading
from allotrope.data.sources.arrays.stored_images import Report, image_keeper
from allotrope.data.sources.arrays.unpacked import OddLength, Unpacker
from allotrope.data.split_names import SPLIT_WORDS
from allotrope.errors import DataError
from allotrope.memory_limit import require_memory

FILE_NAME = re.compile(
    r"(?P<stem>.+?)[-_. ](?P<kind>images|imgs|labels|lbls)([-_. ]?idx(?P<rank>\d))?([-_. "
    r"](ubyte|byte|short|int|float|double))?"
    r"([-_.]?idx\d?)?(?P<copy> ?\(\d+\))?(?P<zipped>\.gz)?",
    re.IGNORECASE,
)
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""NumPy's types by the third byte of the format."""
QMNIST_COLUMNS = 8
"""QMNIST's labels: the class, its writer, its numbers in older sets (Yadav, Bottou 2019)."""
MOST_DIMENSIONS = 4
NAME_FILES = ("class_names.txt", "classes.txt", "class_labels.txt", "labels.txt", "names.txt")
EXPECTED = (
    "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, "
    "t10k-labels-idx1-ubyte.gz"
)


@dataclass(frozen=True)
class IdxName:
    """What the name of an IDX file says; the data set is empty in MNIST's own."""

    data_set: str
    split: str | None
    images: bool


def idx_name(path: Path) -> IdxName | None:
    """What a file's name says; None if it is not named like an IDX file."""
    match = FILE_NAME.fullmatch(path.name)
    # train-images.zip and the like are named alike; idx or its number of dimensions tells these.
    if match is None or "idx" not in path.name.lower():
        return None
    # What is left of the name beside the split is the data set, as of EMNIST's six in one folder.
    parts = re.split(r"[-_. ]+", match["stem"])
    splits = [_split(part) for part in parts]
    split = next((said for said in splits if said is not None), None)
    others = [part for part, said in zip(parts, splits, strict=True) if said is None]
    return IdxName("-".join(others), split, match["kind"].lower().startswith("im"))


def _split(word: str) -> str | None:
    said = {"t10k": "test", "evaluation": "test"}
    split = SPLIT_WORDS.get(word.lower(), word.lower())
    return said.get(split, split if split in ("train", "validation", "test") else None)


def idx_files(folder: Path) -> list[Path]:
    """The files that are named like IDX files, without those that are there once more zipped."""
    named = sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.is_file() and idx_name(path)
    )
    plain = {path.name for path in named if path.suffix.lower() != ".gz"}
    return [
        path
        for path in named
        if path.suffix.lower() != ".gz" or path.name[: -len(".gz")] not in plain
    ]


def read_idx(path: Path, options: DataOptions, report: Report) -> Reading:
    """The splits of a folder of IDX files, or of the data set that the file `path` belongs to.

    Class names come from a file such as `class_names.txt` (one a line) if there is one.
    Raises: DataError for damaged, missing or mismatched files, or several data sets.
    """
    folder = path if path.is_dir() else path.parent
    wanted = None if path.is_dir() else idx_name(path)
    files = {file: name for file in idx_files(folder) if (name := idx_name(file)) is not None}
    sets = {name.data_set for name in files.values()}
    if wanted is not None:
        sets &= {wanted.data_set}
    if len(sets) > 1:
        firsts = [
            next(file.name for file, name in files.items() if name.data_set == data_set)
            for data_set in sorted(sets)
        ]
        raise DataError(
            f"{folder}: holds {len(sets)} data sets "
            f"({', '.join(data_set or 'one without a name' for data_set in sorted(sets))}). Name "
            f"one of the files of one, such as {folder / firsts[0]}."
        )
    chosen = {file: name for file, name in files.items() if name.data_set in sets}
    return _read_set(folder, chosen, options, report)


def _read_set(
    folder: Path, files: Mapping[Path, IdxName], options: DataOptions, report: Report
) -> Reading:
    images: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    notes: list[str] = []
    unpacker = Unpacker.asked_for(options, report)
    for path, name in files.items():
        if name.split is None and any(other.split is not None for other in files.values()):
            raise DataError(f"{path}: not named like a known split; expected {EXPECTED}.")
        split = name.split or "train"
        arrays = images if name.images else labels
        if split in arrays:
            raise DataError(
                f"{path}: {split} has these already from another file. Keep one of them."
            )
        arrays[split] = read_idx_file(path, unpacker)
    _check_pairs(folder, images, labels)
    labels = {split: _classes(array, notes) for split, array in labels.items()}
    if any("emnist" in name.data_set.lower().split("-") for name in files.values()):
        notes.append("EMNIST's pictures lie on their side and mirrored; they are read as they are")
    data_set = next(iter(files.values())).data_set
    try:
        return reading(
            data_set or printable(folder.resolve().name),
            images,
            labels,
            _class_names(folder, notes),
            options.value_range,
            notes,
            image_keeper(list(files), options, report),
        )
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None


def _check_pairs(
    folder: Path, images: dict[str, np.ndarray], labels: dict[str, np.ndarray]
) -> None:
    problems = [f"{split} has images but no labels." for split in images.keys() - labels.keys()]
    problems += [f"{split} has labels but no images." for split in labels.keys() - images.keys()]
    if "train" not in images and "train" not in labels:
        problems.append("there are no training images.")
    if problems:
        raise DataError(f"{folder}: {' '.join(sorted(problems))} Expected {EXPECTED}.")


def _classes(labels: np.ndarray, notes: list[str]) -> np.ndarray:
    """The classes of QMNIST's labels: their first column."""
    if labels.ndim != 2 or labels.shape[1] != QMNIST_COLUMNS:
        return labels
    note = f"labels have {QMNIST_COLUMNS} columns, as QMNIST's have; the first is the class"
    notes.extend([note] if note not in notes else [])
    return labels[:, 0]


def read_idx_file(path: Path, unpacker: Unpacker) -> np.ndarray:
    """The array of one IDX file, gzipped or not; mapped from disk if it is more than the memory.

    Format: two zero bytes, the type, the rank, each length as 4 bytes big-endian, then the values,
    big-endian too.
    Raises: DataError if the file is damaged.
    """
    try:
        with _opened(path) as file:
            shape, dtype = _header(file, path)
            start = file.tell()
            on_disk = unpacker.mapped(path, path.stem, shape, dtype, partial(_opened, path, start))
            return _values(file, path, shape, dtype) if on_disk is None else on_disk
    except OddLength as error:
        raise _other_length(path, shape, dtype, error.there) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}). Copy or download it again.") from None


@contextmanager
def _opened(path: Path, start: int = 0) -> Iterator[BinaryIO]:
    """The file, decompressed, from so many bytes on."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        file.seek(start)
        yield cast(BinaryIO, file)


def _header(file: BinaryIO, path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Lengths and type of the values that follow. Raises: DataError."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0":
        raise DataError(
            f"{path}: begins with {start.hex() or 'nothing'}, not with the two zero bytes of an "
            "IDX file."
        )
    if start[2] not in TYPES:
        known = ", ".join(f"0x{number:02x}" for number in TYPES)
        raise DataError(
            f"{path}: holds values of IDX type 0x{start[2]:02x}; expected one of {known}."
        )
    dtype = np.dtype(TYPES[start[2]])
    rank = start[3]
    if not 1 <= rank <= MOST_DIMENSIONS:
        raise DataError(
            f"{path}: has {rank} dimensions by its header; expected 1 for labels, 3 or 4 for "
            "images."
        )
    lengths = file.read(4 * rank)
    if len(lengths) != 4 * rank:
        raise DataError(f"{path}: ends inside its header.")
    return tuple(int(length) for length in np.frombuffer(lengths, ">u4")), dtype


def _values(file: BinaryIO, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    require_memory(size, str(path), "Check that the file is sound: its header says so.")
    values = file.read(size + 1)
    if len(values) != size:
        raise _other_length(path, shape, dtype, None if len(values) > size else len(values))
    return np.frombuffer(values, dtype).reshape(shape)


def _other_length(
    path: Path, shape: tuple[int, ...], dtype: np.dtype, there: int | None
) -> DataError:
    """What is said of a file of so many bytes, None for more than its header says."""
    size = math.prod(shape) * dtype.itemsize
    number = "more" if there is None else f"{there:,}"
    return DataError(f"{path}: its header says {list(shape)}, {size:,} bytes; found {number}.")


def _class_names(folder: Path, notes: list[str]) -> tuple[str, ...] | None:
    files = [folder / name for name in NAME_FILES if (folder / name).is_file()]
    return read_class_names(files[0], notes) if files else None
