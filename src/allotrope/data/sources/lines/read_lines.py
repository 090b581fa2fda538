"""Reads files of labelled lines as a frame: a text, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.line_titles import LineTitles
from allotrope.data.reading import Reading
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked
from allotrope.data.recognize.read_frame import read_frame
from allotrope.data.sources.lines.labelled_lines import (
    LabelledLines,
    LineForms,
    has_labels,
    labelled,
)
from allotrope.data.sources.lines.paged_lines import PagedLines, Report, paged_lines
from allotrope.data.sources.lines.text_file import (
    COMPRESSED,
    SPLIT_IT,
    TextFile,
    read_text_file,
)
from allotrope.data.sources.text_keeper import NotByPage, check_by_page
from allotrope.data.split_names import SPLIT_WORDS
from allotrope.data.store.lazy_columns import Columns
from allotrope.data.store.store import NoRoom
from allotrope.data.store.stored_texts import StoredTexts, as_text_column
from allotrope.errors import DataError

TEXT = "text"
LOOKED_AT = 10_000
"""Lines by which it is told whether a file is of labelled lines."""
SUFFIXES = frozenset((".txt", ".lines", ".lst", *(f".{word}" for word in SPLIT_WORDS)))
LISTED = 8
SAID = {
    "fasttext": "label '__label__…' before the text, as fastText has it",
    "fasttext-several": "labels '__label__…' before the text, as fastText has it",
    "coarse-and-fine": "'COARSE:fine' before the text: 'coarse' is learned; --target fine learns "
    "the other",
    "first-word": "the first word is the label",
}


def may_be_lines(path: Path) -> bool:
    """Whether a file is called as texts are: `a.txt`, `TREC.train.gz`."""
    inner = path.with_suffix("") if path.suffix.lower() == COMPRESSED else path
    return inner.suffix.lower() in SUFFIXES


def read_lines(files: Mapping[str, Path], options: DataOptions, report: Report) -> Reading:
    """The reading of files by split, whose texts are on disk if they are more than the memory.

    Raises: DataError if their lines do not begin with labels, or have none; UsageError.
    """
    read = {split: _read(path, options, report) for split, path in files.items()}
    _check_labelled(read["train"])
    form = reduce(LineForms.joined, (file.forms for file in read.values())).form
    parts = {split: _labelled(read, split, form) for split in files}
    frame = _frame(read, parts)
    frame.notes.append(f"a text a line: {SAID[form]}")
    if form == "coarse-and-fine":
        options = _one_of_two(frame, options, parts["train"].labels)
    if form == "fasttext-several" and not options.task:
        options = replace(options, target=("labels",), task={"labels": "multilabel"})
    return read_frame(frame, options)


@dataclass(frozen=True)
class _Read:
    """A file in memory or by page, and what the first words of its lines look like."""

    file: TextFile | PagedLines
    forms: LineForms

    def lines(self) -> Iterator[str]:
        """All of its lines."""
        if isinstance(self.file, PagedLines):
            return self.file.lines()
        return iter(self.file.lines)


def _read(path: Path, options: DataOptions, report: Report) -> _Read:
    paged = paged_lines(path, options, report)
    remedy = SPLIT_IT
    if paged is not None:
        try:
            check_by_page(options)
            return _Read(paged, LineForms.of(paged.lines()))
        except NotByPage as error:
            remedy = _no_page(error)
    return _in_memory(path, remedy, options.encoding)


def _in_memory(path: Path, remedy: str, encoding: str | None = None) -> _Read:
    file = read_text_file(path, remedy=remedy, encoding=encoding)
    return _Read(file, LineForms.of(file.lines))


def _no_page(error: Exception) -> str:
    return f"It cannot be read by page either: {error}."


def _labelled(read: dict[str, _Read], split: str, form: str) -> LabelledLines:
    """The lines of a split, which is read into memory if there is no room for it on disk."""
    file = read[split].file
    if isinstance(file, PagedLines):
        try:
            return file.labelled(form)
        except NoRoom as error:
            read[split] = _in_memory(file.path, _no_page(error))
    return labelled(list(read[split].lines()), form)


def _one_of_two(frame: Frame, options: DataOptions, labels: Iterable[str]) -> DataOptions:
    """Of two labels that say the same more or less finely, the coarse one, or those asked for.

    The other one leaves the frame, unless it is asked for: it says the answer, or half of it.
    """
    if not options.target and not options.task:
        options = replace(options, target=("coarse",))
    asked = {*options.target, *options.task, *options.input}
    for name in set(labels) - asked:
        for columns in frame.splits.values():
            del columns[name]
    return options


def _frame(read: Mapping[str, _Read], parts: Mapping[str, LabelledLines]) -> Frame:
    train = read["train"].file.path
    name = train.name.removesuffix(COMPRESSED)
    if len(read) > 1:
        name = train.parent.resolve().name
    splits: dict[str, Columns] = {}
    origin = {}
    notes: list[str] = []
    for split, part in parts.items():
        path = read[split].file.path
        notes.extend(read[split].file.notes)
        if part.empty:
            notes.append(
                f"'{path.name}': left out, for they hold a label and no text: "
                f"{_listed([f'line {number}' for number in part.empty])}"
            )
        columns = {name: np.array(labels, "U") for name, labels in part.labels.items()}
        splits[split] = {TEXT: _texts(part), **columns}
        several = len(read) > 1
        title = f"{printable(path.name)} line" if several else "line"
        origin[split] = LineTitles(title, part.numbers)
    return checked(Frame(printable(name), splits, origin, notes=notes))


def _texts(part: LabelledLines) -> np.ndarray:
    if isinstance(part.texts, StoredTexts):
        return as_text_column(part.texts)
    return np.array(part.texts, np.dtypes.StringDType())


def _check_labelled(read: _Read) -> None:
    lines = list(islice((line for line in read.lines() if line.strip()), LOOKED_AT))
    if has_labels(lines):
        return
    shown = ", ".join(repr(line[:60]) for line in lines[:3]) or "nothing"
    raise DataError(
        f"{read.file.path}: its lines do not begin with labels; found {shown}. Expected a text a "
        "line with a label before it, such as 'sports The match …' or '__label__sports The match "
        "…', or a table with a header (.csv, .tsv, .jsonl)."
    )


def _listed(titles: list[str]) -> str:
    more = f" and {len(titles) - LISTED:,} more" if len(titles) > LISTED else ""
    return ", ".join(titles[:LISTED]) + more
