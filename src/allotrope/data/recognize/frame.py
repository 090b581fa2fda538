"""Columns by name as a source holds them, before it is known what each is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from allotrope.config import KnownColumns
from allotrope.data.line_titles import taken_titles
from allotrope.data.recognize.text_forms import CATEGORIES, TEXTS, text_form
from allotrope.data.store.kept_rows import KeepRows, rows_in_memory
from allotrope.data.store.lazy_columns import Columns, taken
from allotrope.inputs.image.pixels import Keep, in_memory

PICTURES, PIXELS, NUMBERS, OTHER = "pictures", "pixels", "numbers", "other"
VOLUMES, VOXELS = "volumes", "voxels"
CHANNELS = (1, 3, 4)
NAMING = (PICTURES, VOLUMES)
"""What columns look like that name files, which are the examples."""


@dataclass(frozen=True)
class Spoiled:
    """A column of numbers of which some cells are none: all numbers by split, NaN there.

    And these rows by split.
    """

    numbers: Mapping[str, np.ndarray]
    rows: Mapping[str, np.ndarray]


@dataclass
class Frame:
    """The columns of each split, examples along the first axis.

    `origin` says of each split where its rows are from, such as lines of a file. `pictures` are the
    columns whose texts name picture files, `volumes` those that name scans; `table` if it is from a
    text file, whose further columns may be about anything. `notes` are remarks for the user.
    `forms` are what columns look like, as far as somebody asked. `label_names` are those of columns
    of flags [n, k] that were columns of their own. `keep` puts images on disk that are more than
    the memory, and `keep_rows` rows of cells.

    Of numbers in texts: `spoiled` are columns in which some rows hold none, `doubtful` says of
    columns how else they may be read, and `written` is how they are written if not plainly
    (`NumberForm.sample`). `known` is what a network says of its columns that is to be trained
    further. `absent` are the columns that unlabelled rows did not bring.
    """

    name: str
    splits: Mapping[str, Columns]
    origin: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    table: bool = False
    spoiled: dict[str, Spoiled] = field(default_factory=dict)
    doubtful: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    forms: dict[str, str] = field(default_factory=dict)
    label_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: KnownColumns = field(default_factory=KnownColumns)
    absent: frozenset[str] = frozenset()
    keep: Keep = in_memory
    keep_rows: KeepRows = rows_in_memory

    @property
    def naming(self) -> frozenset[str]:
        """The columns whose texts name files."""
        return frozenset((*self.pictures, *self.volumes))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the training columns."""
        return tuple(self.splits["train"])

    def form(self, name: str) -> str:
        """What a column looks like: one of `text_forms`, or of the words above."""
        if name not in self.forms:
            self.forms[name] = self._form(name)
        return self.forms[name]

    def _form(self, name: str) -> str:
        if name in self.pictures:
            return PICTURES
        if name in self.volumes:
            return VOLUMES
        if name in self.spoiled:
            return NUMBERS
        column = self.splits["train"][name]
        if column.dtype.kind == "T":
            return TEXTS
        if column.dtype.kind in "US" and column.ndim == 1:
            return text_form(column.astype("U"))
        if column.dtype.kind == "b" and column.ndim == 1:
            return CATEGORIES
        if column.dtype.kind not in "buif":
            return OTHER
        if holds_voxels(column):
            return VOXELS
        if column.ndim in (3, 4):
            return PIXELS
        return NUMBERS if column.ndim in (1, 2) else OTHER

    def whole(self, name: str) -> np.ndarray:
        """The column of all splits, one after the other."""
        parts = [columns[name] for columns in self.splits.values() if name in columns]
        return np.concatenate(parts)

    def row(self, split: str, row: int) -> str:
        """What a row is called in a message."""
        origin = self.origin.get(split)
        if origin is not None:
            return origin[row]
        return f"row {row}" if len(self.splits) == 1 else f"{split} row {row}"

    def take(self, rows: Mapping[str, np.ndarray]) -> Frame:
        """The frame of these rows of each split, in their order."""
        splits = {split: taken(columns, rows[split]) for split, columns in self.splits.items()}
        origin = {split: taken_titles(titles, rows[split]) for split, titles in self.origin.items()}
        return replace(self, splits=splits, origin=origin)


def holds_voxels(column: np.ndarray) -> bool:
    """Whether numbers are volumes: three axes an example, of which none may be that of channels.

    A fourth axis of a single channel is none. Other axes are longer than pictures have channels:
    [n, 32, 32, 2] may as well be two pictures, and is not guessed.
    """
    if column.dtype.kind not in "buif":
        return False
    if column.ndim == 5:
        return 1 in (column.shape[1], column.shape[-1])
    return column.ndim == 4 and min(column.shape[1], column.shape[-1]) > max(CHANNELS)
