"""Input columns in the form in which the delivered file takes them, with the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from allotrope.data.examples import IMAGE
from allotrope.data.reading import PicturesFound
from allotrope.data.recognize.frame import PICTURES, Frame
from allotrope.data.recognize.table_columns import TableColumn, table_column
from allotrope.data.store.kept_rows import TableRows
from allotrope.data.store.lazy_columns import shape_of
from allotrope.data.store.stored_texts import StoredTexts, TextColumn, text_pages
from allotrope.errors import DataError
from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.inputs.image.pixels import to_images
from allotrope.inputs.image.ranges import ValueRange
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.raw_bytes import lengths_of
from allotrope.inputs.text.text_input import Text
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.inputs.volume.scan_grid import sides_in_words
from allotrope.inputs.volume.volume import Volume
from allotrope.memory_limit import require_memory

TABLE = "table"
"""What the columns of single numbers are called together."""
LISTED = 8
MANY = 10_000
"""So many texts tell how long words are."""


@dataclass(frozen=True)
class Decoded:
    """The pictures of a column by split, uint8 [n, h, w, c], and what the files were like."""

    images: Mapping[str, np.ndarray]
    originals: PicturesFound
    value_range: ValueRange | None


@dataclass(frozen=True)
class DecodedVolumes:
    """The volumes of a column on one grid, by split float32 [n, d, h, w].

    And numbers of their patients by split [n].
    """

    volume: Volume
    values: Mapping[str, np.ndarray]
    patients: Mapping[str, np.ndarray]


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
    decoded: Mapping[str, Decoded | DecodedVolumes],
    value_range: ValueRange | None,
    relative: bool = False,
) -> InputColumns:
    """The inputs of the frame; `decoded` are the columns that name pictures or volumes.

    Raises: DataError for values that do not fit, with all rows of a kind.
    """
    made = InputColumns()
    images = [name for name, kind in kinds.items() if kind == Image.kind]
    for name in images:
        # A column of file names says little: the only picture is called as in any other source.
        alone = len(images) == 1 and frame.form(name) == PICTURES
        _add_image(made, frame, name, IMAGE if alone else name, decoded, value_range)
    for one in decoded.values():
        if isinstance(one, DecodedVolumes):
            made.add(one.volume, one.values)
    for name, kind in kinds.items():
        if kind == Volume.kind and name not in decoded:
            _add_voxels(made, frame, name, value_range, relative)
    for name, kind in kinds.items():
        if kind == Text.kind:
            _add_text(made, frame, name)
    single = {}
    for name, kind in kinds.items():
        if kind in (Text.kind, Volume.kind):
            continue
        if kind != Image.kind and len(shape_of(frame.splits["train"], name)) == 1:
            single[name] = kind
        elif kind != Image.kind:
            _add_rows(made, frame, name)
    if single:
        taken = {each.name for each in made.inputs} | set(frame.columns) - {TABLE}
        _add_table(made, frame, _free(TABLE, taken), single)
    return made


def _add_voxels(
    made: InputColumns, frame: Frame, name: str, window: ValueRange | None, relative: bool
) -> None:
    """Volumes in arrays, which do not say how far voxels lie apart: taken for cubes."""
    columns = {split: part[name] for split, part in frame.splits.items()}
    count = sum(part.size for part in columns.values())
    require_memory(4 * count, f"{frame.name}: '{name}' as 32-bit numbers", "Take fewer voxels.")
    values = {split: _voxels(part).astype(np.float32) for split, part in columns.items()}
    bad = [
        frame.row(split, int(row))
        for split, part in values.items()
        for row in np.flatnonzero(~np.isfinite(part).all(axis=(1, 2, 3)))
    ]
    if bad:
        more = f" and {len(bad) - LISTED:,} more" if len(bad) > LISTED else ""
        raise DataError(
            f"{frame.name}: '{name}' holds values that are no numbers, in "
            f"{', '.join(bad[:LISTED])}{more}. Mend or remove these."
        )
    shapes = {part.shape[1:] for part in values.values()}
    if len(shapes) > 1:
        listed = " and ".join(sides_in_words(shape) for shape in sorted(shapes))
        raise DataError(f"{frame.name}: '{name}' has volumes of {listed}; expected one size.")
    depth, height, width = values["train"].shape[1:]
    frame.notes.append(
        f"axes of '{name}' are taken for depth, height and width, from foot to head, back to front "
        "and left to right, and voxels for cubes of 1 mm, as arrays do not say"
    )
    shape, cubes = (depth, height, width), (1.0, 1.0, 1.0)
    volume = Volume(name=name, shape=shape, spacing=cubes, window=window, relative=relative)
    made.add(volume, values)


def _voxels(column: np.ndarray) -> np.ndarray:
    """Volumes [n, d, h, w], without an axis of one channel."""
    if column.ndim == 4:
        return column
    return column[:, 0] if column.shape[1] == 1 else column[..., 0]


def _add_text(made: InputColumns, frame: Frame, name: str) -> None:
    """A text; what is empty stays, and is said."""
    columns = {split: part[name] for split, part in frame.splits.items()}
    empty = [frame.row(split, row) for split, part in columns.items() for row in _empty(part)]
    if len(empty) == sum(map(len, columns.values())):
        raise DataError(f"{frame.name}: input '{name}' holds only empty texts.")
    if empty:
        more = f" and {len(empty) - LISTED:,} more" if len(empty) > LISTED else ""
        listed = f"{', '.join(empty[:LISTED])}{more}"
        frame.notes.append(f"'{name}' is empty in {listed}; these are learned from as they are")
    if frame.known.tokens is not None:
        tokens = Tokens.of(name, frame.known.tokens)
        made.add(tokens, tokens.columns({split: part.tolist() for split, part in columns.items()}))
        # The texts themselves show at the end whether what is delivered makes the same ids.
        for split, part in columns.items():
            made.columns[split][tokens.texts] = np.array(part, np.dtypes.StringDType())
        return
    text = Text.of_lengths(name, _bytes_of(columns["train"]))
    text = text.with_room_for(_some(columns["train"]))
    made.add(text, {split: _as_bytes(text, part) for split, part in columns.items()})


def _empty(column: TextColumn) -> Iterator[int]:
    """The rows of a column that hold no text."""
    cells = (cell for page in text_pages(column) for cell in page)
    return (row for row, cell in enumerate(cells) if not cell.strip())


def _some(column: TextColumn) -> list[str]:
    """Texts from all over a column: as many tell how long words are as well as all do."""
    rows = np.linspace(0, len(column) - 1, min(len(column), MANY)).astype(np.int64)
    texts: list[str] = column[rows].tolist()
    return texts


def _bytes_of(column: TextColumn) -> np.ndarray:
    """The bytes of each text, int64 [n]."""
    if isinstance(column, StoredTexts):
        return column.sizes()
    return lengths_of(column.tolist())


def _as_bytes(text: Text, column: TextColumn) -> np.ndarray:
    """Examples of the input, which stay on disk if the texts do."""
    if isinstance(column, StoredTexts):
        return column.cut_to(text.longest)
    return text.column(column.tolist())


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _add_image(
    made: InputColumns,
    frame: Frame,
    column: str,
    name: str,
    decoded: Mapping[str, Decoded | DecodedVolumes],
    value_range: ValueRange | None,
) -> None:
    pictures = decoded.get(column)
    if not isinstance(pictures, Decoded):
        pictures = _from_pixels(frame, column, value_range)
    image = Image.of(name, pictures.images["train"], pictures.value_range)
    made.add(image, pictures.images)
    made.pictures[name] = pictures.originals


def _from_pixels(frame: Frame, name: str, asked: ValueRange | None) -> Decoded:
    notes: list[str] = []
    arrays = {split: columns[name] for split, columns in frame.splits.items()}
    try:
        images, value_range = to_images(arrays, notes, asked, frame.keep)
    except DataError as error:
        raise DataError(f"{frame.name}: input '{name}': {error}") from None
    frame.notes.extend(notes)
    _, height, width, channels = images["train"].shape
    count = sum(map(len, images.values()))
    mode = "RGB"
    if channels == 1:
        mode = "L"
    return Decoded(images, PicturesFound({(height, width): count}, {mode: count}), value_range)


def _add_rows(made: InputColumns, frame: Frame, name: str) -> None:
    """A column that holds rows of numbers itself."""
    wide = {split: part[name].reshape(len(part[name]), -1) for split, part in frame.splits.items()}
    rows = {split: part.astype(np.float32) for split, part in wide.items()}
    width = rows["train"].shape[1]
    names = [name] if width == 1 else [f"{name}.{place}" for place in range(width)]
    _check_finite(frame, names, rows)
    made.add(Table(name=name, columns=tuple(names)), rows)


def _add_table(made: InputColumns, frame: Frame, name: str, kinds: Mapping[str, str]) -> None:
    """Columns of single numbers, categories and dates, side by side in their order."""
    columns = {column: table_column(frame, column, kind) for column, kind in kinds.items()}
    made.add(_table_of(name, columns), frame.keep_rows(TableRows(frame.splits, columns)))


def _table_of(name: str, columns: Mapping[str, TableColumn]) -> Table:
    texts = tuple(one.texts for one in columns.values())
    dates = tuple(one.date_form for one in columns.values())
    written = tuple(one.written for one in columns.values())
    return Table(
        name=name,
        columns=tuple(columns),
        categories=texts if any(texts) else (),
        dates=dates if any(dates) else (),
        written=written if any(written) else (),
    )


def _check_finite(frame: Frame, columns: Sequence[str], rows: Mapping[str, np.ndarray]) -> None:
    """Raises: DataError for infinite numbers in any row; `columns` are those of the rows."""
    infinite: list[str] = []
    among: set[int] = set()
    for split, values in rows.items():
        where = np.isinf(values)
        infinite += [frame.row(split, int(row)) for row in np.flatnonzero(where.any(axis=1))]
        among |= set(np.flatnonzero(where.any(axis=0)).tolist())
    if infinite:
        more = f" and {len(infinite) - LISTED:,} more" if len(infinite) > LISTED else ""
        listed = ", ".join(repr(columns[place]) for place in sorted(among)[:LISTED])
        raise DataError(
            f"{frame.name}: infinite numbers, or too large ones: {listed} in "
            f"{', '.join(infinite[:LISTED])}{more}. Mend or remove these rows."
        )
