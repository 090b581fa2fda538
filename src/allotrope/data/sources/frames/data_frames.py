"""Data frames (pandas, polars, pyarrow) as arrays by column, through narwhals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked, with_split_column
from allotrope.data.sources.list_cells import ListCells
from allotrope.errors import DataError, MissingDependencyError

LISTED = 8


class FrameColumns(dict[str, np.ndarray]):
    """The columns of a data frame by name, in its order. Their names say nothing of splits.

    `labels` are those of columns of lists, which are flags [n, labels] here; `index` names the rows
    if the frame does.
    """

    def __init__(self) -> None:
        """Without columns."""
        super().__init__()
        self.labels: dict[str, tuple[str, ...]] = {}
        self.index: list[Any] | None = None


def columns_in_memory(source: Any) -> Any:
    """A data frame as its columns; a path, a mapping of arrays or None as it is.

    Raises: DataError for what is none of these, or columns that hold lists or objects; all of
    them in one message. MissingDependencyError without narwhals.
    """
    if source is None or isinstance(source, (str, Path, Mapping)):
        return source
    try:
        import narwhals.stable.v2 as narwhals
    except ImportError:
        raise MissingDependencyError(
            "data frames are read through narwhals, which is not installed; install it with: "
            "pip install 'allotrope[tables]'"
        ) from None
    try:
        frame = narwhals.from_native(source, eager_only=True)
    except TypeError:
        raise DataError(
            f"a {type(source).__name__} is no data; expected a path, a mapping of arrays by "
            "column, or a data frame (pandas, polars, pyarrow)."
        ) from None
    except narwhals.exceptions.NarwhalsError as error:
        raise DataError(f"the data frame cannot be read: {error}.") from None
    columns = columns_of(frame)
    columns.index = _index(source)
    return columns


def _index(source: Any) -> list[Any] | None:
    """What pandas calls the rows, if not by their numbers."""
    index = getattr(source, "index", None)
    if index is None or not hasattr(index, "tolist"):
        return None
    names: list[Any] = index.tolist()
    return None if names == list(range(len(names))) else names


def columns_of(frame: Any, problems: dict[str, str] | None = None) -> FrameColumns:
    """The columns of a narwhals frame.

    Those of kinds that are not read are added to `problems`. Raises: DataError if there are none to
    add to.
    """
    columns, own = FrameColumns(), dict[str, str]()
    for name in frame.columns:
        column = frame.get_column(name)
        array, labels = _lists(column)
        if labels:
            columns.labels[str(name)] = labels
        if array is None:
            array = _array(column)
        if array is None:
            own[str(name)] = f"'{name}' holds {_kind_in_words(column)}"
        else:
            columns[str(name)] = array
    if problems is None:
        check_read(own)
    else:
        problems |= own
    return columns


def _lists(column: Any) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """A column of lists as an array [n, k], and the labels if they are such; None if it is none."""
    if not str(column.dtype).startswith(("List", "Array", "Object")):
        return None, ()
    lists, cells = ListCells(), column.to_list()
    lists.take(cells)
    made = lists.made()
    return (None, ()) if made is None else (made(cells), lists.names())


def check_read(problems: Mapping[str, str]) -> None:
    """Raises: DataError for all columns that are not read."""
    listed = list(problems.values())
    if listed:
        more = f" and {len(listed) - LISTED:,} more" if len(listed) > LISTED else ""
        raise DataError(
            f"columns of a data frame: {'; '.join(listed[:LISTED])}{more}. Expected numbers, "
            "texts, truth values, categories, dates, or lists of texts or of as many numbers; "
            "leave others out."
        )


def frame_of_columns(name: str, columns: FrameColumns) -> Frame:
    """The columns as a table whose roles are to be told. Raises: DataError if it has no rows."""
    labels = columns.labels
    frame = Frame(name, {"train": dict(columns)}, table=True, label_names=labels)
    return with_split_column(checked(frame))


def _array(column: Any) -> np.ndarray | None:
    """A column as an array [n]: what is missing is NaN or an empty text; None if it is no such."""
    import narwhals.stable.v2 as narwhals

    kind, missing = column.dtype, column.is_null().to_numpy().astype(bool)
    if kind.is_numeric():
        return _numbers(column, missing)
    if kind == narwhals.Boolean and not missing.any():
        return np.asarray(column.to_numpy(), bool)
    if kind in (narwhals.String, narwhals.Categorical, narwhals.Enum, narwhals.Boolean):
        return _texts(column.to_list(), missing)
    values = [value for value, gap in zip(column.to_list(), missing, strict=True) if not gap]
    if not values:
        return np.full(len(missing), np.nan)
    if kind == narwhals.Duration:
        return np.array([_days(value) for value in column.to_list()])
    if kind == narwhals.Time:
        return np.array([_hours(value) for value in column.to_list()])
    # pandas has no type for dates without a time: they are objects there.
    if all(isinstance(value, date) for value in values):
        return _texts(column.to_list(), missing, lambda moment: str(moment.isoformat()))
    if kind == narwhals.Object and all(isinstance(value, str) for value in values):
        return _texts(column.to_list(), missing)
    return None


def _days(value: Any) -> float:
    """A duration in days."""
    return float("nan") if value is None or value != value else value / timedelta(days=1)


def _hours(value: Any) -> float:
    """A time of day in hours."""
    if value is None:
        return float("nan")
    seconds = value.second + value.microsecond / 1e6
    return float(value.hour + value.minute / 60 + seconds / 3600)


def _kind_in_words(column: Any) -> str:
    """The type of a column; of Python objects theirs."""
    kinds = {type(value).__name__ for value in column.to_list() if value is not None}
    listed = ", ".join(sorted(kinds)[:4])
    return f"{column.dtype} of {listed}" if str(column.dtype) == "Object" else str(column.dtype)


def _numbers(column: Any, missing: np.ndarray) -> np.ndarray:
    if not missing.any():
        array = np.asarray(column.to_numpy())
        # Decimals are Python's own objects in NumPy.
        return array.astype(np.float64) if array.dtype.kind == "O" else array
    values = [np.nan if gap else x for x, gap in zip(column.to_list(), missing, strict=True)]
    return np.array(values, np.float64)


def _texts(
    values: list[Any], missing: np.ndarray, written: Callable[[Any], str] = str
) -> np.ndarray:
    cells = zip(values, missing, strict=True)
    return np.array(["" if gap else written(value).strip() for value, gap in cells], "U")
