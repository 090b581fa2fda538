"""Columns for another process: of those that stay on disk only where they lie, and which rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.data.store.run_file import RunFile, opened_rows
from allotrope.data.store.stored_rows import Column, StoredRows, as_column
from allotrope.process.carried_arrays import STORED, write_arrays


def write_columns(path: Path, columns: Mapping[str, Column]) -> None:
    """Arrays as `write_arrays` writes them, and references to stored rows beside the file."""
    write_arrays(path, write_stored(path, columns))


def write_stored(path: Path, columns: Mapping[str, Column]) -> dict[str, np.ndarray]:
    """Write the references to stored rows; the other columns, which are arrays, are given back."""
    arrays: dict[str, np.ndarray] = {}
    references: dict[str, dict[str, Any]] = {}
    for name, column in columns.items():
        if isinstance(column, StoredRows):
            folder = str(column.file.folder.resolve())
            # There may be millions of rows, and a number in text takes several times its bytes.
            rows = path.with_suffix(f".stored-{len(references)}.npy")
            np.save(rows, column.rows)
            references[name] = {"folder": folder, "rows": rows.name}
            if isinstance(column.file, RunFile):
                references[name]["length"] = column.file.length
        else:
            arrays[name] = column
    if references:
        path.with_suffix(STORED).write_text(json.dumps(references), encoding="utf-8")
    return arrays


def read_stored(path: Path) -> dict[str, np.ndarray]:
    """The stored rows that `write_stored` wrote of; none if it wrote none.

    Raises: SpoiledStore, or OSError if they were removed meanwhile.
    """
    try:
        text = path.with_suffix(STORED).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return {name: as_column(_rows(path.parent, **said)) for name, said in json.loads(text).items()}


def _rows(beside: Path, folder: str, rows: str, length: int = 0) -> StoredRows:
    file = opened_rows(Path(folder))
    if isinstance(file, RunFile):
        file = file.cut_to(length)
    return StoredRows(file, np.load(beside / rows, allow_pickle=False))
