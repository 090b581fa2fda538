"""Reads a folder of pictures in class folders: decoded once, in parallel, and cached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable, shown
from allotrope.data.examples import Examples
from allotrope.data.reading import PicturesFound, Reading, labelled, labelled_pictures
from allotrope.data.sources.folder.folder_layout import Layout, find_layout
from allotrope.data.sources.pictures.stored_pictures import Report, decoded_pictures
from allotrope.data.store.stored_rows import rows_between


def read_folder(folder: Path, options: DataOptions, report: Report) -> Reading:
    """The pictures of a folder, all of one size; `choose_size` says which.

    Raises: DataError where there is nothing to learn from, or where more than 1 % of the files
    cannot be read.
    """
    layout = find_layout(folder, options.layout)
    files = [path for pictures in layout.splits.values() for path, _ in pictures]
    parts = [split for split, pictures in layout.splits.items() for _ in pictures]
    decoded = decoded_pictures(folder, files, parts, options, report)
    return _reading(folder, layout, *decoded)


def _reading(folder: Path, layout: Layout, pixels: np.ndarray, facts: dict[str, Any]) -> Reading:
    numbers = {name: number for number, name in enumerate(layout.classes)}
    listed = [
        (split, path, name) for split, pictures in layout.splits.items() for path, name in pictures
    ]
    readable = [listed[row] for row in facts["rows"]]
    labels = np.array([numbers.get(name, -1) for _, _, name in readable], np.int64)
    names = [shown(path, folder) for _, path, _ in readable]
    splits: dict[str, Examples] = {}
    for split in layout.splits:
        rows = [row for row, (of, _, _) in enumerate(readable) if of == split]
        # Rows of a split follow each other.
        first, last = (rows[0], rows[-1] + 1) if rows else (0, 0)
        part = rows_between(pixels, first, last)
        splits[split] = labelled(part, labels[rows], tuple(names[row] for row in rows))
    sizes = {(height, width): count for height, width, count in facts["sizes"]}
    value_range = facts["value_range"] and tuple(facts["value_range"])
    reading = labelled_pictures(
        printable(folder.resolve().name),
        splits,
        layout.classes,
        PicturesFound(sizes, facts["modes"]),
        value_range,
    )
    reading.notes.extend(layout.notes + facts["notes"])
    reading.unreadable.extend(facts["unreadable"])
    return reading
