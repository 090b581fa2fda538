"""Frames of named arrays: by column, by split and column, or with the split in the names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.data.encodings import decoded, texts_of_bytes
from allotrope.data.examples import UNLABELLED
from allotrope.data.line_titles import taken_titles
from allotrope.data.recognize.absent_labels import with_absent
from allotrope.data.recognize.frame import Frame, Spoiled
from allotrope.data.sources.arrays.array_names import SPLITS as SHORT_SPLITS
from allotrope.data.split_names import TO_ANSWER, split_name, to_learn_from, words
from allotrope.data.store.lazy_columns import Computed, shape_of, taken, without
from allotrope.errors import DataError

HELD_OUT = ("validation", "test")
SPLIT_COLUMNS = frozenset(("split", "set", "subset", "partition", "usage", "phase", "dataset"))
"""What a column is called that says to which split each row belongs."""


def frame_of(name: str, columns: Mapping[str, Any]) -> Frame:
    """The frame of a mapping: {"image": x, "age": y}, or {"train": {…}, "test": {…}}.

    Raises: DataError for columns of different lengths, Python objects, or splits that lack columns.
    """
    if not columns:
        raise DataError(f"{name}: holds no columns; expected arrays by name.")
    by_split = {str(key): value for key, value in columns.items() if isinstance(value, Mapping)}
    if not by_split:
        arrays = {str(key): as_array(name, str(key), value) for key, value in columns.items()}
        return checked(with_split_column(with_absent(Frame(name, by_names(name, arrays)))))
    said = {key: _split(key) for key in by_split}
    unknown = [key for key, split in said.items() if split is None]
    if unknown or len(by_split) < len(columns) or len(set(said.values())) < len(said):
        raise DataError(
            f"{name}: expected arrays by column, or such mappings by split (train, perhaps "
            f"validation and test); found {', '.join(map(repr, columns))}."
        )
    splits = {
        str(said[key]): {
            str(column): as_array(name, f"{key}/{column}", value) for column, value in part.items()
        }
        for key, part in by_split.items()
    }
    return checked(with_absent(Frame(name, splits)))


def _split(key: str) -> str | None:
    """The split that a key is called after."""
    if to_learn_from(key):
        return UNLABELLED
    said = split_name(key)
    if said is None or not said.pure or said.split == "unlabelled":
        return None
    return "validation" if said.split == "evaluation" else said.split


def as_array(name: str, column: str, value: Any) -> np.ndarray:
    """A column as an array of numbers or texts.

    Raises: DataError for Python objects that are neither.
    """
    try:
        array = np.asarray(value)
    except Exception as error:  # noqa: BLE001 - an array-like of the user's may raise anything
        raise DataError(f"{name}: column '{column}' is no array: {error}.") from None
    if array.dtype.kind != "O":
        return texts_of_bytes(array)
    cells = [None if _is_missing(cell) else cell for cell in array.flat]
    present = [cell for cell in cells if cell is not None]
    if array.ndim == 1 and all(isinstance(cell, (str, bytes)) for cell in present):
        return np.array([_text(cell) for cell in cells], dtype="U")
    if array.ndim == 1 and all(isinstance(cell, (int, float, np.number)) for cell in present):
        return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    kinds = ", ".join(sorted({type(cell).__name__ for cell in present})[:4])
    raise DataError(
        f"{name}: column '{column}' holds Python objects ({kinds}); expected numbers or texts, as "
        "many in each row."
    )


def _is_missing(cell: Any) -> bool:
    """Whether a cell is None, or NaN, which is not itself, as pandas has it among texts."""
    return cell is None or (isinstance(cell, float) and cell != cell)


def _text(cell: str | bytes | None) -> str:
    return decoded(cell)[0] if isinstance(cell, bytes) else cell or ""


def by_names(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The arrays by split and column, if every name says a split, as age_train; else all train's.

    Raises: DataError if only some names do.
    """
    said = {key: _column_and_split(key) for key in arrays}
    with_split = [key for key, (_, split) in said.items() if split is not None]
    if not with_split:
        return {"train": dict(arrays)}
    if len(with_split) < len(arrays):
        without = ", ".join(f"'{key}'" for key in arrays if key not in with_split)
        raise DataError(
            f"{name}: the names of some columns say a split, as '{with_split[0]}' does, and those "
            f"of others do not: {without}. Name all alike."
        )
    splits: dict[str, dict[str, np.ndarray]] = {}
    for key, (column, split) in said.items():
        splits.setdefault(str(split), {})[column] = arrays[key]
    return splits


def _column_and_split(name: str) -> tuple[str, str | None]:
    """The column and the split of `age_train`; the name itself if it says none."""
    parts = words(name)
    splits = [part for part in parts if part in SHORT_SPLITS]
    if len(splits) != 1 or len(parts) == 1:
        return name, None
    split = SHORT_SPLITS[splits[0]]
    if split == UNLABELLED and not TO_ANSWER.isdisjoint(parts):
        return name, None
    if split not in ("train", *HELD_OUT, UNLABELLED):
        return name, None
    return "_".join(part for part in parts if part != splits[0]), split


def with_split_column(frame: Frame) -> Frame:
    """The frame by split, if a column says to which each row belongs; that column is gone."""
    if set(frame.splits) != {"train"}:
        return frame
    columns = frame.splits["train"]
    for name in columns:
        if name.lower() not in SPLIT_COLUMNS:
            continue
        column = columns[name]
        if column.dtype.kind == "U" and column.ndim == 1:
            said = {value: _split(value) for value in np.unique(column).tolist()}
            if None not in said.values() and "train" in said.values():
                return _by_column(frame, name, said)
            frame.notes.append(
                f"column '{name}' does not say splits: it holds {', '.join(map(repr, said))}"[:200]
            )
    return frame


def _by_column(frame: Frame, name: str, said: Mapping[str, str | None]) -> Frame:
    columns, origin = frame.splits["train"], frame.origin.get("train")
    checked(frame)
    of_rows = np.array([said[value] for value in columns[name].tolist()])
    rows = {split: np.flatnonzero(of_rows == split) for split in ("train", *HELD_OUT, UNLABELLED)}
    rows = {split: own for split, own in rows.items() if len(own)}
    others = without(columns, (name,))
    splits = {split: taken(others, own) for split, own in rows.items()}
    origins: dict[str, Sequence[str]] = {}
    if origin is not None:
        origins = {split: taken_titles(origin, own) for split, own in rows.items()}
    counts = ", ".join(f"{len(own):,} {split}" for split, own in rows.items())
    frame.notes.append(f"column '{name}' says the splits: {counts}")
    spoiled = {other: _by_rows(each, rows) for other, each in frame.spoiled.items()}
    return replace(frame, splits=splits, origin=origins, spoiled=spoiled)


def _by_rows(spoiled: Spoiled, rows: Mapping[str, np.ndarray]) -> Spoiled:
    """Of a column of a single split the numbers, and the rows that hold none, by these rows."""

    def numbers(split: str) -> np.ndarray:
        return spoiled.numbers["train"][rows[split]]

    strange = spoiled.rows["train"]
    places = {split: np.flatnonzero(np.isin(own, strange)) for split, own in rows.items()}
    return Spoiled(Computed(tuple(rows), numbers), places)


def checked(frame: Frame) -> Frame:
    """The frame, if all splits have the same columns, equally long.

    Raises: DataError with everything that differs.
    """
    if "train" not in frame.splits:
        raise DataError(
            f"{frame.name}: holds no training examples, only {', '.join(frame.splits)}."
        )
    problems = [
        *_of_different_lengths(frame),
        *(
            f"{split} has no column {', '.join(map(repr, missing))}, which train has"
            for split, columns in frame.splits.items()
            if (missing := sorted(frame.splits["train"].keys() - columns.keys()))
        ),
    ]
    if problems:
        raise DataError(f"{frame.name}: {'; '.join(problems)}.")
    return frame


def _of_different_lengths(frame: Frame) -> Sequence[str]:
    problems = []
    for split, columns in frame.splits.items():
        shapes = {name: shape_of(columns, name) for name in columns}
        single = [name for name, shape in shapes.items() if not shape]
        if single:
            problems.append(f"{split}: {', '.join(single)} hold a single number, not a column")
        lengths = {name: shape[0] for name, shape in shapes.items() if shape}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"'{name}' {length:,}" for name, length in lengths.items())
            problems.append(f"columns of {split} have different lengths: {listed}")
        elif not any(lengths.values()):
            problems.append(f"{split} has no rows")
    return problems
