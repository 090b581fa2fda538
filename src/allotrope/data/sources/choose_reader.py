"""Which reader a source is for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.reading import Reading
from allotrope.data.recognize.fixed_columns import with_columns_as_asked
from allotrope.data.recognize.frames import frame_of
from allotrope.data.recognize.read_frame import read_frame
from allotrope.data.sources.arrays.array_files import SUFFIXES
from allotrope.data.sources.arrays.read_arrays import read_arrays
from allotrope.data.sources.digits import read_digits
from allotrope.data.sources.folder.tree import scan
from allotrope.data.sources.folder_contents import Recognized, recognize
from allotrope.data.sources.frames.data_frames import FrameColumns, frame_of_columns
from allotrope.data.sources.frames.parquet import is_parquet
from allotrope.data.sources.frames.parquet_folder import frame_of_file, frame_of_files
from allotrope.data.sources.idx import idx_name, read_idx
from allotrope.data.sources.json_lines import may_be_json, read_json_lines
from allotrope.data.sources.lfs_pointers import named_pointers
from allotrope.data.sources.lines.lines_in_folder import lines_to_read
from allotrope.data.sources.lines.read_lines import may_be_lines, read_lines
from allotrope.data.sources.row_files import LINES, OBJECTS, PARQUET, row_files
from allotrope.data.sources.split_files import SplitFiles, one_each, splits_alone
from allotrope.data.sources.table.table_text import is_table
from allotrope.data.sources.text_folders import TextFiles, find_text_files, read_text_files
from allotrope.data.sources.volumes.volume_folders import holds_scans
from allotrope.errors import DataError
from allotrope.inputs.image.formats import ARCHIVES

Report = Callable[[str], None]
KINDS = (
    "'digits' (built in), a folder of class folders of pictures or of volumes (.nii, DICOM), a "
    "table (.csv, .tsv, .parquet), a folder of them, texts with a label before each line (.txt, "
    ".txt.gz), objects a line or a list of them (.jsonl, .json), an .npz file, or a folder of .npy "
    "or IDX files"
)


def read_source(
    source: str | Path | Mapping[str, Any], options: DataOptions, report: Report
) -> Reading:
    """What the source itself brings, before any splitting.

    Raises: DataError where there is no such source or it is of no known kind.
    """
    if isinstance(source, FrameColumns):
        return read_frame(frame_of_columns("data", source), options)
    if isinstance(source, Mapping):
        return read_frame(frame_of("data", source), options)
    if str(source) == "digits":
        reading = with_columns_as_asked(read_digits(), options)
        return _saying_unused(reading, options, digits=True)
    path = Path(source).expanduser()
    try:
        return _read_path(source, path, options, report)
    except DataError as error:
        raise named_pointers(path, error) from None


def _read_path(source: str | Path, path: Path, options: DataOptions, report: Report) -> Reading:
    if path.is_file() and is_table(path):
        return _read_table({"train": path}, options, report)
    if path.is_file() and is_parquet(path):
        return read_frame(frame_of_file(path, options, report), options)
    if path.is_file():
        return _saying_unused(_read_file(path, options, report), options)
    if not path.is_dir():
        near = difflib.get_close_matches(str(source), ["digits"])
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise DataError(f"{source}: no such file or folder.{hint} Expected {KINDS}.")
    try:
        return _read_folder(path, options, report)
    except PermissionError as error:
        raise DataError(
            f"{error.filename or path}: may not be read. Give yourself read access to it."
        ) from None


def _read_file(path: Path, options: DataOptions, report: Report) -> Reading:
    if path.suffix.lower() in SUFFIXES:
        return read_arrays([path], printable(path.stem), options, report)
    if idx_name(path) is not None:
        return with_columns_as_asked(read_idx(path, options, report), options)
    if may_be_json(path):
        return read_json_lines({"train": path}, options, report)
    if may_be_lines(path):
        return read_lines({"train": path}, options, report)
    remedy = (
        " Archives are not extracted: extract it and name the folder."
        if path.suffix.lower() in ARCHIVES
        else ""
    )
    raise DataError(f"{path}: a file of a kind that is not read here.{remedy} Expected {KINDS}.")


def _read_table(tables: Mapping[str, Path], options: DataOptions, report: Report) -> Reading:
    # Only here: Pillow takes a while to load.
    from allotrope.data.sources.table.read_table import read_tables

    return read_tables(tables, options, report)


def _read_volumes(path: Path, options: DataOptions, report: Report) -> Reading:
    """Volumes that lie in class folders, or that a table beside them names."""
    # Only here: most data is of another kind.
    from allotrope.data.sources.table.tables_in_folder import volume_tables_to_read
    from allotrope.data.sources.volumes.read_volumes import read_volumes

    tables = volume_tables_to_read(path, options)
    if tables.chosen:
        return _saying(_read_table(tables.chosen, options, report), *tables.notes)
    reading = with_columns_as_asked(read_volumes(path, options, report), options)
    reading.notes.extend(tables.notes)
    return reading


def _read_folder(path: Path, options: DataOptions, report: Report) -> Reading:
    """The data in a folder; a layout that is asked for says that it is pictures."""
    if options.layout == "auto" and holds_scans(path):
        return _read_volumes(path, options, report)
    contents = recognize(path) if options.layout == "auto" else Recognized("pictures", (path,))
    # Lists of pictures are called train.txt too, and what is said of a picture lies beside it.
    if contents.kind == "pictures" and options.layout == "auto" and not scan(path).root.below():
        texts, (form, files) = find_text_files(path), row_files(path)
        if form == LINES or texts.splits:
            return _read_texts(path, lines_to_read(path), texts, options, report)
        if form == OBJECTS:
            splits = splits_alone(path, files, form)
            reading = read_json_lines(one_each(path, splits), options, report)
            return _saying(reading, splits.said)
        if form == PARQUET:
            return read_frame(frame_of_files(path, files, options, report), options)
    place = contents.paths[0]
    if contents.kind == "idx":
        reading = with_columns_as_asked(read_idx(place, options, report), options)
        return _saying_unused(reading, options)
    if contents.kind == "arrays":
        name = place.stem if len(contents.paths) == 1 else place.parent.resolve().name
        reading = read_arrays(contents.paths, printable(name), options, report)
        return _saying_unused(reading, options)
    # Only here: Pillow takes a while to load.
    from allotrope.data.sources.folder.read_folder import read_folder
    from allotrope.data.sources.table.tables_in_folder import tables_to_read

    tables = tables_to_read(path, options)
    if tables.chosen:
        return _saying(_read_table(tables.chosen, options, report), *tables.notes)
    reading = with_columns_as_asked(read_folder(path, options, report), options)
    reading.notes.extend(tables.notes)
    return reading


def _read_texts(
    path: Path, lines: SplitFiles, texts: TextFiles, options: DataOptions, report: Report
) -> Reading:
    """Texts a line or a file. Raises: DataError if there are both."""
    if not lines.by_split:
        return read_text_files(path, texts, options, report)
    files = one_each(path, lines)
    if texts.splits:
        listed = ", ".join(f"'{file.name}'" for file in files.values())
        raise DataError(
            f"{path}: holds folders of texts, and files of lines ({listed}). Name one of these "
            "files, or move them away."
        )
    return _saying(read_lines(files, options, report), lines.said)


def _saying(reading: Reading, *notes: str) -> Reading:
    """The reading with these notes in front, but for empty ones."""
    reading.notes[:0] = filter(None, notes)
    return reading


def _saying_unused(reading: Reading, options: DataOptions, digits: bool = False) -> Reading:
    """The reading of arrays, with a note for each option that is about pictures in folders."""
    sizes = [next(iter(facts.sizes)) for facts in reading.pictures.values()]
    if options.image_size is not None and any(size != (options.image_size,) * 2 for size in sizes):
        listed = ", ".join(f"{height}x{width}" for height, width in sizes)
        reading.notes.append(
            f"image size {options.image_size} is for folders of pictures; these arrays keep their "
            f"{listed}"
        )
    if options.layout != "auto":
        reading.notes.append(
            f"layout '{options.layout}' is for folders of pictures; these are arrays"
        )
    if digits and options.value_range is not None:
        reading.notes.append("a range of values is for your own data; that of digits is known")
    return reading
