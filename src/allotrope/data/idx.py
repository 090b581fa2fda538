"""Reads a folder of IDX files, the format of MNIST and its relatives: `train-images-idx3-ubyte.gz` and so on."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from allotrope.data.arrays import reading
from allotrope.data.images import Reading
from allotrope.data.memory import require_memory
from allotrope.data.ranges import ValueRange
from allotrope.errors import DataError

FILE_NAME = re.compile(r"(?P<part>.+?)[-_.](?P<kind>images|labels)[-_.]idx(?P<rank>\d)[-_.]ubyte(\.gz)?", re.IGNORECASE)
PARTS = {"train": "train", "t10k": "test", "test": "test", "val": "validation", "valid": "validation", "validation": "validation"}
UNSIGNED_BYTE = 8
MOST_DIMENSIONS = 4
EXPECTED = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz"


def is_idx_folder(folder: Path) -> bool:
    """Whether any file of the folder is named like an IDX file."""
    return any(FILE_NAME.fullmatch(path.name) for path in folder.iterdir() if path.is_file())


def read_idx(folder: Path, asked: ValueRange | None = None) -> Reading:
    """The splits of a folder of IDX files; class names come from `class_names.txt` (one a line) where there is one.

    Raises: DataError for damaged, missing or mismatched files.
    """
    images: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    for path in sorted(folder.iterdir()):
        match = FILE_NAME.fullmatch(path.name)
        if match is not None:
            split = PARTS.get(match["part"].lower().rsplit("-", 1)[-1])
            if split is None:
                raise DataError(f"{path}: not named like a known split; expected {EXPECTED}.")
            (images if match["kind"].lower() == "images" else labels)[split] = read_idx_file(path)
    problems = [f"{split} has images but no labels." for split in images.keys() - labels.keys()]
    problems += [f"{split} has labels but no images." for split in labels.keys() - images.keys()]
    if "train" not in images and "train" not in labels:
        problems.append("there are no training images.")
    if problems:
        raise DataError(f"{folder}: {' '.join(sorted(problems))} Expected {EXPECTED}.")
    try:
        return reading(folder.resolve().name, images, labels, _class_names(folder), asked)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None


def read_idx_file(path: Path) -> np.ndarray:
    """The array of one IDX file of unsigned bytes, gzipped or not.

    Format: two zero bytes, the type, the rank, each length as 4 bytes big-endian, then the values.
    Raises: DataError where the file is damaged or is of another type.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            return _values(cast(BinaryIO, file), path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}). Copy or download it again.") from None


def _values(file: BinaryIO, path: Path) -> np.ndarray:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0":
        raise DataError(f"{path}: begins with {start.hex() or 'nothing'}, not with the two zero bytes of an IDX file.")
    if start[2] != UNSIGNED_BYTE:
        raise DataError(f"{path}: holds values of IDX type 0x{start[2]:02x}; expected unsigned bytes, 0x08.")
    rank = start[3]
    if not 1 <= rank <= MOST_DIMENSIONS:
        raise DataError(f"{path}: has {rank} dimensions by its header; expected 1 for labels, 3 or 4 for images.")
    lengths = file.read(4 * rank)
    if len(lengths) != 4 * rank:
        raise DataError(f"{path}: ends inside its header.")
    shape = tuple(int(length) for length in np.frombuffer(lengths, ">u4"))
    size = math.prod(shape)
    require_memory(size, str(path), "Check that the file is sound: its header says so.")
    values = file.read(size + 1)
    if len(values) != size:
        raise DataError(
            f"{path}: its header says {list(shape)}, {size:,} bytes; found {'more' if len(values) > size else f'{len(values):,}'}."
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _class_names(folder: Path) -> tuple[str, ...] | None:
    path = folder / "class_names.txt"
    if not path.is_file():
        return None
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
