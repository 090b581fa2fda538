"""Texts of unknown encoding: the names of files, and lists of class names from other systems."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

import numpy as np

from allotrope.errors import DataError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LINE_ENDS = re.compile(r"\r\n|\r|\n")
LARGEST_LIST = 16_000_000


def decoded(data: bytes) -> tuple[str, str]:
    """The text of bytes, and the encoding that it was read in.

    A byte order mark decides; else UTF-16 if every other byte is zero, as in Latin script; else
    UTF-8 if it is valid; else Windows-1252, which holds Latin-1's letters, and for its five gaps
    Latin-1.
    """
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), None) or _unmarked(
        data
    )
    for name in (encoding, "utf-8", "cp1252"):
        try:
            return data.decode(name), name
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "latin-1"


def texts_of_bytes(array: np.ndarray) -> np.ndarray:
    """The array with texts where it holds the bytes of texts, as HDF5 and TensorFlow write them."""
    if array.dtype.kind != "S":
        return array
    texts = [decoded(value)[0] for value in array.reshape(-1).tolist()]
    return np.array(texts, dtype="U").reshape(array.shape)


def _unmarked(data: bytes) -> str:
    if len(data) >= 2 and len(data) % 2 == 0:
        even, odd = data[::2], data[1::2]
        if not any(odd) and all(even):
            return "utf-16-le"
        if not any(even) and all(odd):
            return "utf-16-be"
    return "utf-8"


def shown(path: Path, folder: Path) -> str:
    """The path below the folder as text that can be printed, whatever bytes its names are."""
    return printable(path.relative_to(folder).as_posix())


def printable(name: str) -> str:
    """The name of a file or folder as text that can be printed."""
    return decoded(os.fsencode(name))[0]


def read_class_names(path: Path, notes: list[str]) -> tuple[str, ...]:
    """The class names in a text file, one a line; numbers that count the lines are no part of them.

    Raises: DataError if there are none, or one is there twice.
    """
    if path.stat().st_size > LARGEST_LIST:
        size = path.stat().st_size
        raise DataError(f"{path}: {size:,} bytes; expected a list of class names, one a line.")
    text, encoding = decoded(path.read_bytes())
    lines = [line.strip() for line in LINE_ENDS.split(text.replace("\ufeff", ""))]
    names = tuple(line for line in lines if line)
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(
            f"class names in '{path.name}' were read as {encoding}; save it as UTF-8 if they look "
            "wrong"
        )
    numbered = _without_numbers(names)
    if numbered is not None:
        notes.append(
            f"the numbers before the class names in '{path.name}' are no part of the names"
        )
        names = numbered
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or not names:
        problem = "holds no class names"
        if repeated:
            problem = f"names a class twice: {', '.join(repeated)}"
        raise DataError(f"{path}: {problem}. Expected a list of class names, one a line.")
    return names


def _without_numbers(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The names of lines such as `0 cat` or `1: dog`, if the numbers count from 0 or 1."""
    matches = [re.fullmatch(r"(\d+)[\s:,;.)=\t]+(\S.*)", name) for name in names]
    numbers = [int(match[1]) for match in matches if match is not None]
    if len(names) < 2 or len(numbers) < len(names) or numbers[0] not in (0, 1):
        return None
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return None
    return tuple(match[2].strip() for match in matches if match is not None)
