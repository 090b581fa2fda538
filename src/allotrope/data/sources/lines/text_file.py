"""The lines of a text file of unknown encoding, compressed or not; the files are hostile."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from allotrope.data.file_text import file_text
from allotrope.errors import DataError
from allotrope.memory_limit import require_memory

COMPRESSED, GZIP = ".gz", b"\x1f\x8b"
MOST_BYTES = 2_000_000_000
MEMORY_PER_BYTE = 4
"""What Python needs for a byte of text in lines, at the most."""
CHUNK = 1 << 20
SPLIT_IT = "Split it into several files."


@dataclass(frozen=True)
class TextFile:
    """Lines without their ends, and in which encodings they were, for people."""

    path: Path
    lines: list[str]
    notes: list[str]


def read_text_file(
    path: Path, most: int = MOST_BYTES, remedy: str = SPLIT_IT, encoding: str | None = None
) -> TextFile:
    """Every line of a file, decoded; of a compressed one at most so many bytes.

    Lines of two encodings may stand in one file: each is read by itself, if no `encoding` is asked.
    Raises: DataError for a file that is cut short, too large, or of no text.
    """
    whole = file_text(path, content(path, most, remedy=remedy), encoding)
    lines = whole.lines
    if lines:
        lines[0] = lines[0].removeprefix("\ufeff")
    if "\0" in whole.text:
        raise DataError(f"{path}: holds zero bytes; expected lines of text.")
    return TextFile(path, lines, whole.notes(path))


def content(
    path: Path,
    most: int = MOST_BYTES,
    memory_per_byte: int = MEMORY_PER_BYTE,
    remedy: str = SPLIT_IT,
) -> bytes:
    """The bytes of a file, decompressed if they are gzip's, whatever it is called.

    Raises: DataError if they are more than `most`, or cannot be decompressed.
    """
    if not is_compressed(path):
        size = path.stat().st_size
        require_memory(size * memory_per_byte, str(path), remedy)
        return path.read_bytes()
    return _decompressed(path, most, memory_per_byte, remedy)


def is_compressed(path: Path) -> bool:
    """Whether a file is gzip's, or is called so."""
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP or path.suffix.lower() == COMPRESSED


def not_whole(path: Path, error: Exception) -> DataError:
    """What is said of a file that cannot be decompressed."""
    return DataError(f"{path}: cannot be decompressed: {error}. Expected a whole gzip file.")


def text_size(path: Path, most: int) -> int:
    """The bytes of a file, decompressed if it is gzip's, or more than `most`: it may hold any.

    Raises: DataError for a gzip file that is not whole.
    """
    # What a gzip file says of its length is true up to 4 GB, and only if it is honest.
    if not is_compressed(path):
        return path.stat().st_size
    size = 0
    with opened(path) as file:
        while size <= most and (part := file.read(CHUNK)):
            size += len(part)
    return size


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file that is read by parts, decompressed if it is gzip's.

    Raises: DataError for a gzip file that is not whole.
    """
    if not is_compressed(path):
        with path.open("rb") as file:
            yield file
        return
    try:
        with gzip.open(path) as unpacked:
            yield cast(BinaryIO, unpacked)
    except (OSError, EOFError, zlib.error) as error:
        raise not_whole(path, error) from None


@contextmanager
def opened_text(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """The same as UTF-8, without a mark at its beginning; `newline` as `open` has it."""
    with opened(path) as file:
        yield io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline)


def _decompressed(path: Path, most: int, memory_per_byte: int, remedy: str) -> bytes:
    """The content of a gzip file, of which no more is read than fits."""
    parts, size = [], 0
    try:
        with gzip.open(path) as file:
            while part := file.read(CHUNK):
                size += len(part)
                require_memory(size * memory_per_byte, f"{path} decompressed", remedy)
                if size > most:
                    raise DataError(
                        f"{path}: holds more than {most:,} bytes decompressed. Split it into "
                        "several files."
                    )
                parts.append(part)
    except (OSError, EOFError, zlib.error) as error:
        raise not_whole(path, error) from None
    return b"".join(parts)
