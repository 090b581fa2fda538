"""Parquet files as columns, through pyarrow; the files are hostile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


def read_parquet(
    *paths: Path, columns: Sequence[str] | None = None, problems: dict[str, str] | None = None
) -> FrameColumns:
    """The columns of a file, or of several one after the other; all of them, or these.

    Columns of kinds that are not read are added to `problems`, or an error.
    Raises: DataError if one is no whole parquet file, lacks columns or is too large;
    MissingDependencyError.
    """
    try:
        import narwhals.stable.v2 as narwhals
        import pyarrow
    except ImportError:
        raise _without_pyarrow(paths[0]) from None
    if columns is None:
        _check_alike(paths, [names_of(path) for path in paths])
    tables = [_table(path, columns) for path in paths]
    first = tables[0].column_names
    try:
        whole = pyarrow.concat_tables(
            [table.select(first) for table in tables], promote_options="permissive"
        )
    except pyarrow.ArrowException as error:
        raise DataError(f"{paths[0].parent}: parquet files of different types: {error}.") from None
    return columns_of(narwhals.from_native(whole, eager_only=True), problems)


def rows_in(path: Path) -> int:
    """How many rows a file has. Raises: DataError if it is no whole parquet file."""
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def bytes_in(path: Path) -> int:
    """How many bytes its columns take uncompressed. Raises: DataError as `rows_in`."""
    with _opened(path) as file:
        return _size(file, None)


def names_of(path: Path) -> list[str]:
    """The names of its columns. Raises: DataError as `rows_in`."""
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def names_in(paths: Sequence[Path]) -> list[str]:
    """The names of the columns of several files, in the order of the first.

    Raises: DataError if others lack some.
    """
    names = [names_of(path) for path in paths]
    _check_alike(paths, names)
    return names[0]


def _table(path: Path, columns: Sequence[str] | None) -> Any:
    """Columns of a file as pyarrow's table."""
    with _opened(path) as file:
        size = _size(file, columns)
        what = str(path) if columns is None else f"{path}: column '{', '.join(columns)}'"
        require_memory(size * MEMORY_PER_BYTE, what, "Split it into several files.")
        return file.read(columns=columns)


def _size(file: Any, columns: Sequence[str] | None) -> int:
    """The bytes of columns, of all if none are named, as the file says."""
    groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    return sum(
        chunk.total_uncompressed_size
        for chunk in chunks
        if columns is None or _is_of(chunk.path_in_schema, columns)
    )


def _is_of(path: str, columns: Sequence[str]) -> bool:
    """Whether a part of a file belongs to one of the columns, perhaps as the cells of its lists."""
    return any(path == name or path.startswith(f"{name}.") for name in columns)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file that is open. Raises: DataError if it is no whole parquet file."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise _without_pyarrow(path) from None
    try:
        with ParquetFile(path) as file:
            yield file
    except (ArrowException, OSError) as error:
        reason = str(error).strip().rstrip(".").splitlines()[0]
        raise DataError(
            f"{path}: is no whole parquet file ({reason}). Write it again, or save it as .csv."
        ) from None


def _without_pyarrow(path: Path) -> MissingDependencyError:
    return MissingDependencyError(
        f"{path}: parquet is read by pyarrow, which is not installed; install it with: "
        "pip install 'allotrope[tables]'"
    )


def _check_alike(paths: Sequence[Path], names: Sequence[Sequence[str]]) -> None:
    """Raises: DataError for all files that lack columns of the first."""
    lacking = [
        f"{path.name} has no {', '.join(map(repr, missing))}"
        for path, own in zip(paths, names, strict=True)
        if (missing := [name for name in names[0] if name not in own])
    ]
    if lacking:
        raise DataError(
            f"{paths[0].parent}: columns of '{paths[0].name}' are not in all parquet files: "
            f"{'; '.join(lacking)}."
        )
