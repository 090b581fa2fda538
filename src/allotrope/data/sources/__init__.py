"""Finds out what kind of data a source is, reads it, and makes it ready for training."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable
from pathlib import Path

from allotrope.config import DataOptions
from allotrope.data.blank import blank_notes
from allotrope.data.duplicates import find_duplicates
from allotrope.data.encodings import printable
from allotrope.data.images import ImageData, Reading
from allotrope.data.recognize import Recognized, recognize
from allotrope.data.sources.arrays.array_files import SUFFIXES
from allotrope.data.sources.arrays.read_arrays import read_arrays
from allotrope.data.sources.digits import read_digits
from allotrope.data.sources.idx import idx_name, read_idx
from allotrope.data.splits import complete_splits
from allotrope.data.summary import summarize, summary_lines
from allotrope.errors import DataError
from allotrope.inputs.image.formats import ARCHIVES

Report = Callable[[str], None]
KINDS = (
    "'digits' (built in), a folder of class folders, an .npz file, or a folder of .npy or IDX files"
)


def load_images(
    source: str | Path, options: DataOptions | None = None, report: Report = lambda line: None
) -> ImageData:
    """Reads labelled images, splits them if the source has no splits, and says what was found.

    `source` is 'digits' (built in; './digits' is a folder of that name), a folder of class folders
    (perhaps below train/, validation/, test/), an .npz file, or a folder of IDX files.
    Raises: DataError where the data cannot be read or cannot be learned from; UsageError for
    fractions out of range.
    """
    began = time.perf_counter()
    options = options or DataOptions()
    reading = read_source(source, options, report)
    complete_splits(reading, options)
    splits = reading.splits
    duplicates = find_duplicates(splits)
    if duplicates.relabelled:
        reading.notes.append(
            f"{duplicates.relabelled} of the duplicates across splits carry different labels"
        )
    reading.notes.extend(blank_notes(splits))
    summary = summarize(reading, duplicates, time.perf_counter() - began)
    data = ImageData(
        reading.name,
        reading.classes,
        splits["train"],
        splits["validation"],
        splits["test"],
        summary,
    )
    for line in summary_lines(data.name, data.image, summary):
        report(line)
    return data


def read_source(source: str | Path, options: DataOptions, report: Report) -> Reading:
    """What the source itself brings, before any splitting.

    Raises: DataError where there is no such source or it is of no known kind.
    """
    if str(source) == "digits":
        return _saying_unused(read_digits(), options, digits=True)
    path = Path(source).expanduser()
    if path.is_file():
        return _saying_unused(_read_file(path, options), options)
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


def _read_file(path: Path, options: DataOptions) -> Reading:
    if path.suffix.lower() in SUFFIXES:
        return read_arrays([path], printable(path.stem), options.value_range)
    if idx_name(path) is not None:
        return read_idx(path, options.value_range)
    remedy = (
        " Archives are not extracted: extract it and name the folder."
        if path.suffix.lower() in ARCHIVES
        else ""
    )
    raise DataError(f"{path}: a file of a kind that is not read here.{remedy} Expected {KINDS}.")


def _read_folder(path: Path, options: DataOptions, report: Report) -> Reading:
    """The data in a folder; a layout that is asked for says that it is pictures."""
    found = recognize(path) if options.layout == "auto" else Recognized("pictures", (path,))
    place = found.paths[0]
    if found.kind == "idx":
        return _saying_unused(read_idx(place, options.value_range), options)
    if found.kind == "arrays":
        name = place.stem if len(found.paths) == 1 else place.parent.resolve().name
        return _saying_unused(
            read_arrays(found.paths, printable(name), options.value_range), options
        )
    from allotrope.data.sources.folder.read_folder import read_folder  # only here: Pillow takes a while to load

    return read_folder(path, options, report)


def _saying_unused(reading: Reading, options: DataOptions, digits: bool = False) -> Reading:
    """The reading of arrays, with a note for each option that is about pictures in folders."""
    height, width = next(iter(reading.sizes))
    if options.image_size is not None and (height, width) != (options.image_size,) * 2:
        reading.notes.append(
            f"image size {options.image_size} is for folders of pictures; these arrays keep their "
            f"{height}x{width}"
        )
    if options.layout != "auto":
        reading.notes.append(
            f"layout '{options.layout}' is for folders of pictures; these are arrays"
        )
    if digits and options.value_range is not None:
        reading.notes.append("a range of values is for your own data; that of digits is known")
    return reading
