"""A column that stays on disk: rows are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from allotrope.data.store.row_file import RowFile
from allotrope.data.store.run_file import RunFile


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Some rows of a file as a column [n, …], with what columns are asked for of an array.

    Rows that are asked for are read: `x[rows]`, `x[a:b]` and `x[row]` are arrays of their own.
    `take` and `between` read nothing, so that splits of examples cost their numbers of rows alone.
    """

    file: RowFile | RunFile
    rows: np.ndarray

    @classmethod
    def all_of(cls, file: RowFile | RunFile) -> StoredRows:
        """Every row."""
        return cls(file, np.arange(file.shape[0]))

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return len(self.rows), *self.file.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """As of an array."""
        return self.file.dtype

    @property
    def ndim(self) -> int:
        """As of an array."""
        return len(self.file.shape)

    @property
    def nbytes(self) -> int:
        """What it would take in memory."""
        return len(self.rows) * self.file.row_bytes

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        """The rows of a number, a slice or an array of numbers, read."""
        rows = self.rows[key]
        if np.ndim(rows):
            return self.file.read(rows)
        return self.file.read(rows.reshape(1))[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of it in memory."""
        return self[:].astype(dtype or self.dtype, copy=False)

    def will_need(self, rows: np.ndarray) -> None:
        """Say that these rows will be asked for soon."""
        self.file.will_need(self.rows[rows])

    def take(self, rows: np.ndarray, axis: int = 0) -> StoredRows:
        """The column of these rows; nothing is read."""
        if axis != 0:
            raise IndexError(f"axis {axis}: rows are along axis 0.")
        return StoredRows(self.file, self.rows[rows])


def as_column(rows: StoredRows) -> np.ndarray:
    """The rows as what `Examples` holds.

    They answer whatever examples are asked for; only arithmetic on a whole column, which nothing
    should do that takes pictures, reads them all first.
    """
    return cast(np.ndarray, rows)


Column = np.ndarray | StoredRows


def foresee(columns: Iterable[Column], rows: np.ndarray) -> None:
    """Tell the disk that these rows of columns will be asked for soon, if they lie there."""
    for column in columns:
        if isinstance(column, StoredRows):
            column.will_need(rows)


def chained(first: Column, second: Column) -> np.ndarray:
    """The column of the rows of both; of rows of one file nothing is read."""
    if not (isinstance(first, StoredRows) and isinstance(second, StoredRows)):
        return np.concatenate([first[:], second[:]])
    if first.file is not second.file:
        return np.concatenate([first[:], second[:]])
    return as_column(StoredRows(first.file, np.concatenate([first.rows, second.rows])))


def rows_between(column: Column, start: int, stop: int) -> np.ndarray:
    """The column of the rows from `start` to before `stop`; neither copied nor read."""
    if isinstance(column, StoredRows):
        return as_column(column.take(np.arange(start, stop)))
    return column[start:stop]
