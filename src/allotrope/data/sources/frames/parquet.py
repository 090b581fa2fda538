"""Parquet files as columns, through pyarrow; the files are hostile."""

from __future__ import annotations

from pathlib import Path

from allotrope.data.sources.frames.data_frames import FrameColumns, columns_of
from allotrope.errors import DataError, MissingDependencyError
from allotrope.memory_limit import require_memory

SUFFIXES = (".parquet", ".pq")
MEMORY_PER_BYTE = 6
"""What columns take beside their uncompressed bytes: short texts grow to as wide as the longest."""


def read_parquet(path: Path) -> FrameColumns:
    """The columns of a file.

    Raises: DataError if it is no whole parquet file, or too large; MissingDependencyError.
    """
    try:
        import narwhals.stable.v2 as narwhals
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise MissingDependencyError(
            f"{path}: parquet is read by pyarrow, which is not installed; install it with: "
            "pip install 'allotrope[tables]'"
        ) from None
    try:
        with ParquetFile(path) as file:
            groups = range(file.metadata.num_row_groups)
            size = sum(file.metadata.row_group(group).total_byte_size for group in groups)
            require_memory(size * MEMORY_PER_BYTE, str(path), "Split it into several files.")
            table = file.read()
    except (ArrowException, OSError) as error:
        reason = str(error).strip().rstrip(".").splitlines()[0]
        raise DataError(
            f"{path}: is no whole parquet file ({reason}). Write it again, or save it as .csv."
        ) from None
    return columns_of(narwhals.from_native(table, eager_only=True))
