"""Parquet files as columns, through pyarrow; the files are hostile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from allotrope.data.sources.frames.data_frames import FrameColumns, columns_of
from allotrope.errors import DataError, MissingDependencyError
from allotrope.memory_limit import require_memory

SUFFIXES = (".parquet", ".pq")
MEMORY_PER_BYTE = 6
"""What columns take beside their uncompressed bytes: short texts grow to as wide as the longest."""


def is_parquet(path: Path) -> bool:
    """Whether a file is called as such files are."""
    return path.suffix.lower() in SUFFIXES


def read_parquet(*paths: Path) -> FrameColumns:
    """The columns of a file, or of several one after the other.

    Raises: DataError if one is no whole parquet file, lacks columns or is too large;
    MissingDependencyError.
    """
    try:
        import narwhals.stable.v2 as narwhals
        import pyarrow
    except ImportError:
        raise MissingDependencyError(
            f"{paths[0]}: parquet is read by pyarrow, which is not installed; install it with: "
            "pip install 'allotrope[tables]'"
        ) from None
    tables = [_table(path) for path in paths]
    _check_alike(paths, tables)
    first = tables[0].column_names
    try:
        whole = pyarrow.concat_tables(
            [table.select(first) for table in tables], promote_options="permissive"
        )
    except pyarrow.ArrowException as error:
        raise DataError(f"{paths[0].parent}: parquet files of different types: {error}.") from None
    return columns_of(narwhals.from_native(whole, eager_only=True))


def rows_in(path: Path) -> int:
    """How many rows a file has. Raises: DataError if it is no whole parquet file."""
    return int(_table(path, columns=[]).num_rows)


def _table(path: Path, columns: Sequence[str] | None = None) -> Any:
    """A file as pyarrow's table."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            groups = range(file.metadata.num_row_groups)
            size = sum(file.metadata.row_group(group).total_byte_size for group in groups)
            require_memory(size * MEMORY_PER_BYTE, str(path), "Split it into several files.")
            return file.read(columns=columns)
    except (ArrowException, OSError) as error:
        reason = str(error).strip().rstrip(".").splitlines()[0]
        raise DataError(
            f"{path}: is no whole parquet file ({reason}). Write it again, or save it as .csv."
        ) from None


def _check_alike(paths: Sequence[Path], tables: Sequence[Any]) -> None:
    """Raises: DataError for all files that lack columns of the first."""
    first = tables[0].column_names
    lacking = [
        f"{path.name} has no {', '.join(map(repr, missing))}"
        for path, table in zip(paths, tables, strict=True)
        if (missing := [name for name in first if name not in table.column_names])
    ]
    if lacking:
        raise DataError(
            f"{paths[0].parent}: columns of '{paths[0].name}' are not in all parquet files: "
            f"{'; '.join(lacking)}."
        )
