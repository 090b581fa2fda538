"""Input columns in the form in which the delivered file takes them, with the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from allotrope.data.examples import IMAGE
from allotrope.data.reading import PicturesFound
from allotrope.data.recognize.frame import NUMBERS, PICTURES, Frame
from allotrope.errors import DataError
from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.inputs.image.pixels import to_images
from allotrope.inputs.image.ranges import ValueRange
from allotrope.inputs.table import Table

TABLE = "table"
"""What the columns of single numbers are called together."""
LISTED = 8


@dataclass(frozen=True)
class Decoded:
    """The pictures of a column by split, uint8 [n, h, w, c], and what the files were like."""

    images: Mapping[str, np.ndarray]
    originals: PicturesFound
    value_range: ValueRange | None


@dataclass
class InputColumns:
    """Inputs in their order, their columns by split, and how pictures were found."""

    inputs: list[Input] = field(default_factory=list)
    columns: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    pictures: dict[str, PicturesFound] = field(default_factory=dict)

    def add(self, made: Input, by_split: Mapping[str, np.ndarray]) -> None:
        """Adds an input."""
        self.inputs.append(made)
        for split, column in by_split.items():
            self.columns.setdefault(split, {})[made.name] = column


def to_inputs(
    frame: Frame,
    kinds: Mapping[str, str],
    decoded: Mapping[str, Decoded],
    value_range: ValueRange | None,
) -> InputColumns:
    """The inputs of the frame; `decoded` are the columns that name pictures.

    Raises: DataError for values that do not fit, with all rows of a kind.
    """
    made = InputColumns()
    images = [name for name, kind in kinds.items() if kind == Image.kind]
    for name in images:
        # A column of file names says little: the only picture is called as in any other source.
        alone = len(images) == 1 and frame.form(name) == PICTURES
        _add_image(made, frame, name, IMAGE if alone else name, decoded, value_range)
    single = []
    for name, kind in kinds.items():
        if kind == Table.kind and _is_single(frame, name):
            single.append(name)
        elif kind == Table.kind:
            _add_rows(made, frame, name, [name])
    if single:
        taken = {each.name for each in made.inputs} | set(frame.columns) - {TABLE}
        _add_rows(made, frame, _free(TABLE, taken), single)
    return made


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _is_single(frame: Frame, name: str) -> bool:
    return frame.form(name) == NUMBERS and frame.splits["train"][name].ndim == 1


def _add_image(
    made: InputColumns,
    frame: Frame,
    column: str,
    name: str,
    decoded: Mapping[str, Decoded],
    value_range: ValueRange | None,
) -> None:
    if column in decoded:
        pictures = decoded[column]
    else:
        pictures = _from_pixels(frame, column, value_range)
    image = Image.of(name, pictures.images["train"], pictures.value_range)
    made.add(image, pictures.images)
    made.pictures[name] = pictures.originals


def _from_pixels(frame: Frame, name: str, asked: ValueRange | None) -> Decoded:
    notes: list[str] = []
    arrays = {split: columns[name] for split, columns in frame.splits.items()}
    try:
        images, value_range = to_images(arrays, notes, asked)
    except DataError as error:
        raise DataError(f"{frame.name}: input '{name}': {error}") from None
    frame.notes.extend(notes)
    _, height, width, channels = images["train"].shape
    count = sum(map(len, images.values()))
    mode = "RGB"
    if channels == 1:
        mode = "L"
    return Decoded(images, PicturesFound({(height, width): count}, {mode: count}), value_range)


def _add_rows(made: InputColumns, frame: Frame, name: str, columns: list[str]) -> None:
    spoiled = [frame.spoiled[column] for column in columns if column in frame.spoiled]
    if spoiled:
        raise DataError(
            f"{frame.name}: {' '.join(spoiled)} Mend these rows, leave the cells empty if the "
            "number is not known, or say --input NAME=none."
        )
    rows = {}
    for split, part in frame.splits.items():
        wide = [part[column].reshape(len(part[column]), -1) for column in columns]
        rows[split] = np.concatenate(wide, axis=1).astype(np.float32)
    _check_finite(frame, columns, rows)
    width = rows["train"].shape[1]
    if len(columns) == width:
        names = columns
    else:
        names = [f"{name}.{place}" for place in range(width)]
    made.add(Table(name=name, columns=tuple(names)), rows)


def _check_finite(frame: Frame, columns: list[str], rows: Mapping[str, np.ndarray]) -> None:
    infinite = [
        frame.row(split, int(row))
        for split, values in rows.items()
        for row in np.flatnonzero(np.isinf(values).any(axis=1))
    ]
    if infinite:
        more = ""
        if len(infinite) > LISTED:
            more = f" and {len(infinite) - LISTED:,} more"
        listed = ", ".join(map(repr, columns))
        raise DataError(
            f"{frame.name}: infinite numbers, or too large ones, among {listed} in "
            f"{', '.join(infinite[:LISTED])}{more}. Mend or remove these rows."
        )
