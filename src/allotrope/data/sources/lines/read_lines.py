"""Reads files of labelled lines as a frame: a text, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable
from allotrope.data.reading import Reading
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked
from allotrope.data.recognize.read_frame import read_frame
from allotrope.data.sources.lines.labelled_lines import (
    LabelledLines,
    form_of,
    has_labels,
    labelled,
)
from allotrope.data.sources.lines.text_file import COMPRESSED, TextFile, read_text_file
from allotrope.data.split_names import SPLIT_WORDS
from allotrope.data.store.lazy_columns import Columns
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


def read_lines(files: Mapping[str, Path], options: DataOptions) -> Reading:
    """The reading of files by split.

    Raises: DataError if their lines do not begin with labels, or have none; UsageError.
    """
    read = {split: read_text_file(path) for split, path in files.items()}
    _check_labelled(read["train"])
    form = form_of([line for file in read.values() for line in file.lines])
    parts = {split: labelled(file.lines, form) for split, file in read.items()}
    frame = _frame(read, parts)
    frame.notes.append(f"a text a line: {SAID[form]}")
    if form == "coarse-and-fine":
        options = _one_of_two(frame, options, parts["train"].labels)
    if form == "fasttext-several" and not options.task:
        options = replace(options, target=("labels",), task={"labels": "multilabel"})
    return read_frame(frame, options)


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


def _frame(read: Mapping[str, TextFile], parts: Mapping[str, LabelledLines]) -> Frame:
    train = read["train"].path
    name = train.name.removesuffix(COMPRESSED)
    if len(read) > 1:
        name = train.parent.resolve().name
    splits: dict[str, Columns] = {}
    origin = {}
    notes: list[str] = []
    for split, part in parts.items():
        path = read[split].path
        notes.extend(read[split].notes)
        if part.empty:
            notes.append(
                f"'{path.name}': left out, for they hold a label and no text: "
                f"{_listed([f'line {number}' for number in part.empty])}"
            )
        columns = {name: np.array(labels, "U") for name, labels in part.labels.items()}
        splits[split] = {TEXT: np.array(part.texts, np.dtypes.StringDType()), **columns}
        several = len(read) > 1
        title = f"{printable(path.name)} line" if several else "line"
        origin[split] = tuple(f"{title} {number}" for number in part.numbers)
    return checked(Frame(printable(name), splits, origin, notes=notes))


def _check_labelled(file: TextFile) -> None:
    lines = [line for line in file.lines if line.strip()][:LOOKED_AT]
    if has_labels(lines):
        return
    shown = ", ".join(repr(line[:60]) for line in lines[:3]) or "nothing"
    raise DataError(
        f"{file.path}: its lines do not begin with labels; found {shown}. Expected a text a line "
        "with a label before it, such as 'sports The match …' or '__label__sports The match …', or "
        "a table with a header (.csv, .tsv, .jsonl)."
    )


def _listed(titles: list[str]) -> str:
    more = f" and {len(titles) - LISTED:,} more" if len(titles) > LISTED else ""
    return ", ".join(titles[:LISTED]) + more
