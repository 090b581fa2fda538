"""Reads files of a JSON object a line as a frame; the files are hostile."""

from __future__ import annotations

import json
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


def read_json_lines(path: Path, options: DataOptions) -> Reading:
    """The reading of a file of objects with the same keys. What a line lacks is missing.

    Raises: DataError with all lines that are no objects, or values that are no cells; UsageError.
    """
    file = read_text_file(path)
    rows, numbers, wrong = [], [], []
    for number, line in enumerate(file.lines, 1):
        if not line.strip():
            continue
        row = _object(line)
        if row is None:
            wrong.append(f"line {number}")
            continue
        rows.append(row)
        numbers.append(number)
    if wrong or not rows:
        problem = f"no JSON object in {_some(wrong)}" if wrong else "holds no lines"
        raise DataError(
            f'{path}: {problem}. Expected an object a line, such as {{"text": "…", "label": "…"}}.'
        )
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    arrays = {name: _column(path, name, values, numbers) for name, values in columns.items()}
    origin = {"train": tuple(f"line {number}" for number in numbers)}
    stem = printable(path.name.removesuffix(COMPRESSED))
    frame = Frame(Path(stem).stem, {"train": arrays}, origin, table=True, notes=list(file.notes))
    return read_frame(with_split_column(checked(frame)), options)


def _object(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _column(path: Path, name: str, values: list[Any], numbers: list[int]) -> np.ndarray:
    """Texts, true or false, or numbers with NaN for what is missing."""
    present = [value for value in values if value is not None]
    flags = all(isinstance(value, bool) for value in present)
    if flags and present and len(present) == len(values):
        return np.array(values, bool)
    if all(isinstance(value, bool | int | float) for value in present):
        return np.array([np.nan if value is None else float(value) for value in values])
    strange = [
        f"line {number}"
        for value, number in zip(values, numbers, strict=True)
        if value is not None and not isinstance(value, str)
    ]
    if strange:
        raise DataError(
            f"{path}: '{name}' holds texts, and something else in {_some(strange)}. Expected "
            "texts, numbers, or true and false in all lines."
        )
    texts = ["" if value is None else value for value in values]
    if max(map(len, texts), default=0) > LONG:
        return np.array(texts, np.dtypes.StringDType())
    return np.array(texts, "U")


def _some(lines: list[str]) -> str:
    more = f" and {len(lines) - LISTED:,} more" if len(lines) > LISTED else ""
    return ", ".join(lines[:LISTED]) + more
