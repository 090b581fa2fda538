"""Rows of parquet files and of JSON objects, a cell a value. A delivered predict.py carries this.

Parquet needs pyarrow, which is imported only for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from allotrope.delivery.asked import ArgumentError, listed
from allotrope.delivery.text_lines import OBJECTS, inner_suffix, objects_in

PARQUET = (".parquet", ".pq")
MOST_BYTES, MOST_CELLS = 4_000_000_000, 50_000_000
"""A file of more is to be split: a small one may say that it holds any number of rows."""
NO_OBJECT = 'expected a JSON object such as {"column": 1.5}'


class PlainNumber(str):
    """A number as programs write it, whatever unit the texts of its column had."""


@dataclass
class ObjectRows:
    """The values of each row by column, with the lines (of parquet the rows, from 1).

    `reasons` say by line what is no row, which has no values.
    """

    values: list[Mapping[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)

    @property
    def header(self) -> list[str]:
        """The columns that any row has."""
        return list(dict.fromkeys(name for row in self.values for name in row))

    def cells(self, name: str, counted: bool = False) -> list[str]:
        """A column as texts; `counted`: true and false are numbers there."""
        return [cell_of(row.get(name), counted) for row in self.values]


def holds_objects(path: Path) -> bool:
    """Whether a file is called as such files are."""
    return path.suffix.lower() in PARQUET or inner_suffix(path) in OBJECTS


def object_rows(path: Path, wanted: Sequence[str] | None = None, encoding: str = "") -> ObjectRows:
    """The rows of a file; of parquet the `wanted` columns alone. Raises: ArgumentError."""
    rows = ObjectRows()
    if path.suffix.lower() in PARQUET:
        rows.values = list(parquet_rows(path, wanted))
        rows.lines = list(range(1, len(rows.values) + 1))
    else:
        for line, row in objects_in(path, encoding):
            is_object = isinstance(row, dict)
            rows.values.append(row if is_object else {})
            rows.lines.append(line)
            if not is_object:
                rows.reasons[line] = NO_OBJECT
    if not rows.values:
        raise ArgumentError(f"{path}: holds no rows.")
    rows.values = [spread(row) for row in rows.values]
    return rows


def spread(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with the numbers of lists as columns of their own, called by their places."""
    lists = {name: value for name, value in row.items() if isinstance(value, list)}
    cells = {f"{name}.{place}": one for name, own in lists.items() for place, one in enumerate(own)}
    return {**cells, **row}


def parquet_rows(path: Path, wanted: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    """The rows of a parquet file, in its order. Raises: ArgumentError."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ArgumentError(
            f"{path}: parquet is read by pyarrow, which is not installed; install it with: "
            "pip install pyarrow"
        ) from None
    try:
        with ParquetFile(path) as file:
            names = file.schema_arrow.names
            columns = [name for name in names if wanted is None or is_wanted(name, wanted)]
            check_size(path, file.metadata, len(columns))
            for batch in file.iter_batches(columns=columns):
                yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        reason = str(error).strip().rstrip(".").splitlines()[0]
        raise ArgumentError(f"{path}: is no whole parquet file ({reason}).") from None


def is_wanted(name: str, wanted: Sequence[str]) -> bool:
    """Whether a column, or the numbers of its lists, are among those that are wanted."""
    return name in wanted or any(each.startswith(f"{name}.") for each in wanted)


def check_size(path: Path, metadata: Any, columns: int) -> None:
    """Raises: ArgumentError for a file that holds more than its bytes may tell."""
    groups = range(metadata.num_row_groups)
    size = sum(metadata.row_group(group).total_byte_size for group in groups)
    cells = metadata.num_rows * max(columns, 1)
    if size > MOST_BYTES or cells > MOST_CELLS:
        raise ArgumentError(
            f"{path}: holds {metadata.num_rows:,} rows of {size:,} bytes; at most "
            f"{MOST_CELLS:,} cells of {MOST_BYTES:,} bytes are read at once. Split it."
        )


def cell_of(value: Any, counted: bool = False) -> str:
    """A value as a cell says it: nothing if it is missing, durations in days, times in hours.

    Raises: TypeError for lists and such.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return PlainNumber(int(value)) if counted else str(value)
    if isinstance(value, float) and value.is_integer():
        return PlainNumber(int(value))
    if isinstance(value, int | float | Decimal):
        return PlainNumber(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return PlainNumber(value / timedelta(days=1))
    if isinstance(value, time):
        return PlainNumber(value.hour + value.minute / 60 + value.second / 3600)
    if isinstance(value, str):
        return value.strip()
    raise TypeError(f"holds {type(value).__name__}, expected numbers, texts, dates or truth values")


def object_cells(
    path: Path, wanted: Sequence[str], counted: Sequence[str], encoding: str = ""
) -> tuple[dict[str, list[str]], ObjectRows]:
    """The cells of the columns that are `wanted`; those that are `counted` hold numbers.

    Raises: ArgumentError.
    """
    rows = object_rows(path, wanted, encoding)
    lacking = [name for name in wanted if name not in set(rows.header)]
    if lacking:
        there = object_rows(path, encoding=encoding).header
        raise ArgumentError(f"{path}: lacks the columns {listed(lacking)}; it has {listed(there)}.")
    cells, problems = {}, []
    for name in wanted:
        try:
            cells[name] = rows.cells(name, name in counted)
        except TypeError as error:
            problems.append(f"'{name}' {error}")
    if problems:
        raise ArgumentError(f"{path}: {'; '.join(problems)}.")
    return cells, rows
