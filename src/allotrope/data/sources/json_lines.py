"""Reads files of a JSON object a line as a frame; the files are hostile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.reading import Reading
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked, with_split_column
from allotrope.data.recognize.read_frame import read_frame
from allotrope.data.sources.lines.text_file import COMPRESSED, read_text_file
from allotrope.errors import DataError

SUFFIXES = (".jsonl", ".ndjson")
LONG = 1000
"""Texts of more characters are kept each in memory of its own."""
LISTED = 5


def is_json_lines(path: Path) -> bool:
    """Whether a file is called as such files are, compressed or not."""
    inner = path.with_suffix("") if path.suffix.lower() == COMPRESSED else path
    return inner.suffix.lower() in SUFFIXES


def read_json_lines(files: Mapping[str, Path], options: DataOptions) -> Reading:
    """The reading of files by split, of objects with the same keys. What a line lacks is missing.

    Raises: DataError with all lines that are no objects, or values that are no cells; UsageError.
    """
    notes: list[str] = []
    parts = {split: _objects(path, notes) for split, path in files.items()}
    several = len(files) > 1
    titles = {
        split: tuple(_title(files[split], number, several) for number in part)
        for split, part in parts.items()
    }
    rows = [row for part in parts.values() for row in part.values()]
    names = dict.fromkeys(name for row in rows for name in row)
    place = _name(files)
    every = [title for part in titles.values() for title in part]
    # A column is of one kind in all splits, so that it is looked at as a whole.
    columns = {name: _column(place, name, [row.get(name) for row in rows], every) for name in names}
    ends = np.cumsum([len(part) for part in parts.values()])[:-1]
    cut = {name: np.split(column, ends) for name, column in columns.items()}
    splits = {
        split: {name: cut[name][number] for name in names} for number, split in enumerate(parts)
    }
    frame = Frame(place, splits, titles, table=True, notes=notes)
    return read_frame(with_split_column(checked(frame)), options)


def _name(files: Mapping[str, Path]) -> str:
    """What the data is called: as its only file, or as the folder of several."""
    first = files["train"]
    if len(files) > 1:
        return printable(first.parent.resolve().name)
    return Path(printable(first.name.removesuffix(COMPRESSED))).stem


def _title(path: Path, number: int, several: bool) -> str:
    return f"{printable(path.name)} line {number}" if several else f"line {number}"


def _objects(path: Path, notes: list[str]) -> dict[int, dict[str, Any]]:
    """The object of each line, by its number. Raises: DataError with all lines that are none."""
    file = read_text_file(path)
    notes += file.notes
    rows, wrong = {}, []
    for number, line in enumerate(file.lines, 1):
        row = _object(line) if line.strip() else {}
        if row is None:
            wrong.append(f"line {number}")
        elif line.strip():
            rows[number] = row
    if wrong or not rows:
        problem = f"no JSON object in {_some(wrong)}" if wrong else "holds no lines"
        raise DataError(
            f'{path}: {problem}. Expected an object a line, such as {{"text": "…", "label": "…"}}.'
        )
    return rows


def _object(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _column(place: str, name: str, values: list[Any], titles: list[str]) -> np.ndarray:
    """Texts, true or false, or numbers with NaN for what is missing."""
    present = [value for value in values if value is not None]
    flags = all(isinstance(value, bool) for value in present)
    if flags and present and len(present) == len(values):
        return np.array(values, bool)
    if all(isinstance(value, bool | int | float) for value in present):
        return np.array([np.nan if value is None else float(value) for value in values])
    strange = [
        title
        for value, title in zip(values, titles, strict=True)
        if value is not None and not isinstance(value, str)
    ]
    if strange:
        raise DataError(
            f"{place}: '{name}' holds texts, and something else in {_some(strange)}. Expected "
            "texts, numbers, or true and false in all lines."
        )
    texts = ["" if value is None else value for value in values]
    if max(map(len, texts), default=0) > LONG:
        return np.array(texts, np.dtypes.StringDType())
    return np.array(texts, "U")


def _some(lines: list[str]) -> str:
    more = f" and {len(lines) - LISTED:,} more" if len(lines) > LISTED else ""
    return ", ".join(lines[:LISTED]) + more
