"""The text of a table's file: decompressed, decoded, and named for what it is if it is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from allotrope.data.file_text import file_text
from allotrope.data.sources.lines.text_file import COMPRESSED, GZIP, SPLIT_IT, content
from allotrope.errors import DataError

SUFFIXES = (".csv", ".tsv", ".tab")
BEGINNINGS = (
    (b"PK\x03\x04", "a workbook of a spreadsheet (.xlsx) or a zip archive", "Save it as .csv."),
    (b"\xd0\xcf\x11\xe0", "a workbook of a spreadsheet (.xls)", "Save it as .csv."),
    (b"PAR1", "a parquet file", "Call it .parquet."),
    (b"ARROW1", "an Arrow file", "Save it as .parquet or .csv."),
    (b"FEA1", "a feather file", "Save it as .parquet or .csv."),
    (b"SQLite format 3", "a database", "Export the table as .csv."),
    (b"%PDF", "a PDF document", "Expected a table in text."),
    (b"\x89PNG", "a picture", "Expected a table in text."),
    (b"\xff\xd8\xff", "a picture", "Expected a table in text."),
    (b"BZh", "a bzip2 archive", "Extract it."),
    (b"7z\xbc\xaf", "a 7z archive", "Extract it."),
    (b"\xfd7zXZ", "an xz archive", "Extract it."),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Extract it."),
)
"""How files begin that are called .csv and are none."""
PAGE = re.compile(rb"\s*(<!doctype html|<html|<\?xml)", re.IGNORECASE)


@dataclass(frozen=True)
class TableText:
    """The text, and what tells its columns apart if its first line says so, as spreadsheets do."""

    text: str
    separator: str = ""


def table_suffix(path: Path) -> str:
    """`.csv` of rows.csv and of rows.csv.gz."""
    inner = Path(path.stem) if path.suffix.lower() == COMPRESSED else path
    return inner.suffix.lower()


def is_table(path: Path) -> bool:
    """Whether a file is called as a table in text is."""
    return table_suffix(path) in SUFFIXES


def read_table_text(
    path: Path,
    notes: list[str],
    memory_per_byte: int,
    remedy: str = SPLIT_IT,
    encoding: str | None = None,
) -> TableText:
    """The text of a table; what was guessed of its encoding is added to `notes`.

    Raises: DataError for a file that is of another kind, or cannot be decompressed or decoded.
    """
    data = content(path, memory_per_byte=memory_per_byte, remedy=remedy)
    check_packed_once(path, data)
    check_kind(path, data)
    whole = file_text(path, data, encoding)
    notes.extend(whole.notes(path))
    text = whole.text.removeprefix("\ufeff")
    if "\0" in text:
        raise DataError(f"{path}: holds zero bytes; expected a table in text.")
    return apart_first_line(text)


def check_packed_once(path: Path, data: bytes) -> None:
    """Raises: DataError if what was decompressed is compressed."""
    if data.startswith(GZIP):
        raise DataError(f"{path}: is compressed twice. Decompress it.")


def check_kind(path: Path, data: bytes) -> None:
    """Raises: DataError if the first bytes of a file are those of another kind."""
    for beginning, what, remedy in BEGINNINGS:
        if data.startswith(beginning):
            raise DataError(f"{path}: is {what}, whatever it is called. {remedy}")
    if PAGE.match(data):
        raise DataError(
            f"{path}: is a web page, as a server sends it instead of a file that has to be asked "
            "for otherwise. Download the table itself."
        )


def apart_first_line(text: str) -> TableText:
    """The text without a first line that only says what tells columns apart."""
    said = re.match(r"sep=(.)\r?\n", text)
    if said is None:
        return TableText(text)
    # An empty line in its place, so that lines are counted as in the file.
    return TableText("\n" + text[said.end() :], said[1])
