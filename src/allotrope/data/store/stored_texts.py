"""A column of texts that stays on disk: texts are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from allotrope.data.store.run_file import RunFile
from allotrope.data.store.stored_rows import StoredRows, as_column
from allotrope.inputs.text.raw_bytes import MOST, encoded

KEPT = 2 * MOST
"""Bytes of a text that are stored, at the most: more are not looked at, and whether a text is far
longer than others (`raw_bytes.usual_length`) shows in these."""
AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class StoredTexts:
    """Some texts of a file as a column [n], with what columns are asked for of an array.

    `rows` are of the file's own longest row, so that each is whole.
    """

    rows: StoredRows

    @property
    def file(self) -> RunFile:
        """Where they lie."""
        return cast(RunFile, self.rows.file)

    @property
    def shape(self) -> tuple[int]:
        """As of an array."""
        return (len(self.rows),)

    @property
    def dtype(self) -> np.dtype:
        """As of an array of long texts."""
        return np.dtypes.StringDType()

    @property
    def ndim(self) -> int:
        """As of an array."""
        return 1

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        """The text of a number; of a slice or an array of numbers an array of texts."""
        # One reading for all of them; the zeros that fill up a row are no part of a text.
        taken = self.rows[key]
        if taken.ndim == 1:
            return _text(taken)
        return np.array([_text(row) for row in taken], self.dtype)

    def take(self, rows: np.ndarray, axis: int = 0) -> StoredTexts:
        """The column of these rows; nothing is read."""
        return StoredTexts(self.rows.take(rows, axis))

    def sizes(self) -> np.ndarray:
        """Bytes of each text, int64 [n], at most KEPT; nothing is read."""
        return self.file.sizes(self.rows.rows)

    def cut_to(self, length: int) -> np.ndarray:
        """The column uint8 [n, length] of bytes, which stays on disk as well."""
        return as_column(StoredRows(self.file.cut_to(length), self.rows.rows))


def stored_bytes(text: str) -> bytes:
    """What is stored of a text."""
    return encoded(text)[:KEPT]


def _text(row: np.ndarray) -> str:
    # Half a character may stand at the end of what was kept.
    return row.tobytes().rstrip(b"\0").decode("utf-8", "ignore")


TextColumn = np.ndarray | StoredTexts


def text_pages(column: TextColumn) -> Iterator[list[str]]:
    """The texts of a column, some at a time."""
    for start in range(0, len(column), AT_ONCE):
        yield column[start : start + AT_ONCE].tolist()


def as_text_column(texts: StoredTexts) -> np.ndarray:
    """The texts as what a frame holds: they answer whatever it asks of a column of texts."""
    return cast(np.ndarray, texts)


def rows_of_column(column: TextColumn, rows: np.ndarray) -> np.ndarray:
    """These rows of a column of a frame; of one that stays on disk nothing is read."""
    if isinstance(column, StoredTexts):
        return as_text_column(column.take(rows))
    return column[rows]
