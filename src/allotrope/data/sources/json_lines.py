"""Reads files of a JSON object a line as a frame; the files are hostile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.line_titles import LineTitles
from allotrope.data.reading import Reading
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked, with_split_column
from allotrope.data.recognize.read_frame import read_frame
from allotrope.data.sources.json_object import (
    kind_in_words,
    no_objects,
    numbered_objects,
    strange_values,
)
from allotrope.data.sources.json_values import ValueKinds, pages_of_values
from allotrope.data.sources.lines.text_file import (
    COMPRESSED,
    SPLIT_IT,
    read_text_file,
    text_size,
)
from allotrope.data.sources.paged_json import JsonColumns, read_by_page
from allotrope.data.sources.text_keeper import (
    NotByPage,
    TextKeeper,
    check_by_page,
    columns_in_memory,
)
from allotrope.data.store.json_pages import JsonColumn, JsonValues
from allotrope.data.store.kept_rows import RowKeeper
from allotrope.data.store.lazy_columns import Columns, Entry, LazyColumns
from allotrope.data.store.store import NoRoom, Store
from allotrope.data.store.stored_texts import as_text_column

Report = Callable[[str], None]
SUFFIXES = (".jsonl", ".ndjson")
OF_ANYTHING = (".json",)
"""Files of these are about anything: they are data if they are named themselves."""
MEMORY_PER_BYTE = 10
"""What objects of short values take for a byte of their lines, about."""


def is_json_lines(path: Path) -> bool:
    """Whether a file is called as such files are, compressed or not."""
    return _inner_suffix(path) in SUFFIXES


def may_be_json(path: Path) -> bool:
    """Whether a file that is named may be one of objects, by what it is called."""
    return _inner_suffix(path) in SUFFIXES + OF_ANYTHING


def _inner_suffix(path: Path) -> str:
    inner = path.with_suffix("") if path.suffix.lower() == COMPRESSED else path
    return inner.suffix.lower()


def read_json_lines(
    files: Mapping[str, Path], options: DataOptions, report: Report = lambda line: None
) -> Reading:
    """The reading of files by split, of objects with the same keys. What a line lacks is missing.

    Raises: DataError with all lines that are no objects, or values that are no cells; UsageError.
    """
    notes: list[str] = []
    parts = {split: _objects(path, options, report, notes) for split, path in files.items()}
    several = len(files) > 1
    titles = {}
    for split, part in parts.items():
        file = f"{printable(files[split].name)} " if several else ""
        titles[split] = LineTitles(f"{file}{part.noun}", part.numbers)
    place = _name(files)
    splits: dict[str, Columns] = {split: _without_columns(part) for split, part in parts.items()}
    labels: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys(name for part in parts.values() for name in part.names):
        columns, labels[name] = _columns(place, name, parts, titles)
        for split, column in columns.items():
            splits[split][name] = cast(np.ndarray, column)
    named = {name: those for name, those in labels.items() if those}
    frame = Frame(place, splits, titles, table=True, notes=notes, label_names=named)
    keepers = [part.keep_rows for part in parts.values() if isinstance(part.keep_rows, RowKeeper)]
    if keepers:
        frame.keep_rows = replace(keepers[0], files=list(files.values()))
    return read_frame(with_split_column(checked(frame)), options)


def _without_columns(part: JsonColumns) -> Columns:
    """What columns are added to: those on disk are loaded one after the other."""
    return {} if part.paged is None else LazyColumns(part.paged.starts)


def _name(files: Mapping[str, Path]) -> str:
    """What the data is called: as its only file, or as the folder of several."""
    first = files["train"]
    if len(files) > 1:
        return printable(first.parent.resolve().name)
    return Path(printable(first.name.removesuffix(COMPRESSED))).stem


def _objects(path: Path, options: DataOptions, report: Report, notes: list[str]) -> JsonColumns:
    """The values of all lines, on disk if they are more than is held in memory.

    Raises: DataError with all lines that are no objects.
    """
    in_memory = columns_in_memory(options)
    how, title = ("json", tuple(sorted(in_memory))), f"'{printable(path.name)}'"
    store = Store.asked_for(options.cache_size)
    size = None if store is None else text_size(path, store.size)
    keeper = TextKeeper.of_large(
        path.parent, [path], title, MEMORY_PER_BYTE, how, options, report, "values", size
    )
    remedy = SPLIT_IT
    if keeper is not None:
        try:
            check_by_page(options)
            return read_by_page(path, keeper, in_memory)
        except (NotByPage, NoRoom) as error:
            remedy = f"It cannot be read by page either: {error}."
    file = read_text_file(path, remedy=remedy, encoding=options.encoding)
    notes.extend(file.notes)
    noun, objects = numbered_objects(file.lines)
    columns, wrong = JsonColumns(noun=noun), []
    for number, row in objects:
        if row is None:
            wrong.append(number)
        else:
            columns.add(number, row)
    if wrong or not columns.numbers:
        raise no_objects(path, wrong, noun)
    return columns


def _columns(
    place: str, name: str, parts: Mapping[str, JsonColumns], titles: Mapping[str, LineTitles]
) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """A column by split, and its labels if its values are lists of them.

    It is of one kind in all splits, so that it is looked at as a whole.
    """
    stored = {split: part.stored[name] for split, part in parts.items() if name in part.stored}
    values = {split: part.values(name) for split, part in parts.items() if split not in stored}
    kinds = ValueKinds()
    for one in values.values():
        for page in pages_of_values(one):
            kinds.take(page)
    made = kinds.made(long=bool(stored))
    if made is None:
        raise strange_values(place, name, _strange(values, titles))
    columns: dict[str, Entry] = {split: as_text_column(texts) for split, texts in stored.items()}
    for split, one in values.items():
        if isinstance(one, JsonValues):
            pages = JsonColumn(one, made, kinds.bytes_each)
            # A page at a time are columns [n] alone.
            columns[split] = pages.whole() if kinds.are_lists else pages
        else:
            columns[split] = made(one)
    return {split: columns[split] for split in parts}, kinds.lists.names()


def _strange(
    values: Mapping[str, list[Any] | JsonValues], titles: Mapping[str, LineTitles]
) -> dict[str, list[str]]:
    """What rows are called, by the kinds of their values."""
    kinds = defaultdict(list)
    for split, one in values.items():
        every = (value for page in pages_of_values(one) for value in page)
        for title, value in zip(titles[split], every, strict=True):
            if value is not None:
                kinds[kind_in_words(value)].append(title)
    return kinds
