"""Columns of texts as a frame has them: numbers where that is what their cells say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

import numpy as np

from allotrope.data.cells import known_text, texts
from allotrope.data.number_forms import MARKS, NumbersFound, parsed, points_of
from allotrope.data.recognize.frame import Frame, Spoiled
from allotrope.data.sources.table.paged_columns import (
    numbers_of_parts,
    paged_numbers,
    paged_texts,
)
from allotrope.data.sources.text_keeper import TextKeeper
from allotrope.data.store.cell_pages import PagedCells
from allotrope.data.store.column_pages import NumberPages
from allotrope.data.store.lazy_columns import Entry, LazyParts
from allotrope.data.store.stored_texts import StoredTexts, as_text_column
from allotrope.inputs.table.cell_numbers import NumberForm

LONGEST_LABEL = 1000
"""Characters of a label or the name of a picture, at the most."""
TEXTS = np.dtype("U")
LONG_TEXTS = np.dtypes.StringDType()
"""The type of a column of longer texts, which are no labels."""
SHOWN = 2


@dataclass(frozen=True)
class AskedCells:
    """Columns that stay texts, and columns of numbers whatever they look like.

    `decimal` is which mark parts decimals: point, comma or None. `may_be_grouped` says whether
    points may part thousands, as in tables with semicolons.
    """

    texts: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    decimal: str | None = None
    may_be_grouped: bool = False


Cells = Sequence[str] | StoredTexts


def add_columns(
    frame: Frame,
    columns: Mapping[str, Mapping[str, Cells]],
    asked: AskedCells,
    keepers: Mapping[str, TextKeeper | None],
) -> None:
    """Adds the columns to the frame, in their order; `columns` are cells by name and split.

    `keepers` put on disk what is made of cells that lie there, by split.
    """
    cells = {name: _cells(parts) for name, parts in columns.items()}
    apart = {*asked.texts, *frame.naming}
    numbers = {
        name: numbers_of_parts(parts, keepers)
        for name, parts in cells.items()
        if parts and name not in apart
    }
    told = set(points_of(numbers).values())
    # All forms before any numbers: those of a table are written side by side.
    forms: dict[str, NumberForm] = {}
    for name, parts in cells.items():
        each = numbers.get(name)
        form = NumberForm() if parts and name in asked.numbers else None
        if each is not None:
            form = _form(frame, name, parts, each, told, asked)
        if form is not None:
            forms[name] = form
    paged = {split: _paged_numbers(cells, split, forms, keepers[split]) for split in keepers}
    for name, parts in cells.items():
        if not parts:
            _add_long_texts(frame, name, columns[name], keepers)
        elif name in forms:
            pages = {split: those[name] for split, those in paged.items() if name in those}
            _add_numbers(frame, name, parts, forms[name], pages, keepers)
        else:
            _add_texts(frame, name, parts, keepers)


def _cells(parts: Mapping[str, Cells]) -> dict[str, Sequence[str]]:
    """The cells by split; none if some of them are long texts on disk."""
    cells = {split: part for split, part in parts.items() if not isinstance(part, StoredTexts)}
    return cells if len(cells) == len(parts) else {}


def _paged_numbers(
    cells: Mapping[str, Mapping[str, Sequence[str]]],
    split: str,
    forms: Mapping[str, NumberForm],
    keeper: TextKeeper | None,
) -> dict[str, NumberPages]:
    """The numbers of a split's columns of which the cells lie on disk."""
    if keeper is None:
        return {}
    those = {name: cells[name][split] for name in forms}
    columns = {name: part for name, part in those.items() if isinstance(part, PagedCells)}
    return paged_numbers(columns, forms, keeper)


def _whole(parts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    return (cell for part in parts.values() for cell in part)


def _form(
    frame: Frame,
    name: str,
    parts: Mapping[str, Sequence[str]],
    numbers: NumbersFound,
    told: set[str],
    asked: AskedCells,
) -> NumberForm | None:
    """How the column is read; None if it holds codes. What is in doubt is entered in the frame."""
    if name not in asked.numbers:
        if numbers.codes:
            frame.notes.append(
                f"'{name}' holds digits that begin with zeros, which are codes and no numbers; "
                f"--input {name}=number reads numbers"
            )
            return None
        if numbers.doubt:
            frame.doubtful[name] = (
                f"'{name}' holds {numbers.doubt}. Write all alike, or say --input {name}=none or "
                f"{name}=categorical"
            )
    if numbers.other is None:
        return numbers.form
    return _of_two(frame, name, parts, numbers, numbers.other, told, asked)


def _of_two(
    frame: Frame,
    name: str,
    parts: Mapping[str, Sequence[str]],
    numbers: NumbersFound,
    other: NumberForm,
    told: set[str],
    asked: AskedCells,
) -> NumberForm:
    """The form of numbers such as 1,234 or 1.234, of which both may be right."""
    if asked.decimal is not None:
        return numbers.form if MARKS[asked.decimal] == numbers.form.point else other
    plain = not numbers.form.group
    if plain and not asked.may_be_grouped and told != {","}:
        return numbers.form  # points as programs write them
    if len(told) == 1:
        form = numbers.form if numbers.form.point in told else other
        frame.notes.append(
            f"'{name}' is read with decimal {'points' if form.point == '.' else 'commas'}, as "
            "other columns are written; --decimal says otherwise"
        )
        return form
    frame.doubtful[name] = _both(name, parts, numbers.form, other)
    return numbers.form


def _both(
    name: str, parts: Mapping[str, Sequence[str]], form: NumberForm, other: NumberForm
) -> str:
    marked = list(islice((cell for cell in _whole(parts) if "," in cell or "." in cell), SHOWN))
    shown = ", ".join(f"'{cell}'" for cell in marked)
    ways = [
        f"  --decimal {word:<7} '{marked[0]}' is {each.number(marked[0]):.12g}"
        for word, each in zip(MARKS, (form, other), strict=True)
    ]
    return "\n".join([f"numbers of '{name}' ({shown}) can be read in two ways. Say which:", *ways])


def _add_texts(
    frame: Frame,
    name: str,
    parts: Mapping[str, Sequence[str]],
    keepers: Mapping[str, TextKeeper | None],
) -> None:
    # An array of texts is as wide as its longest: a single cell could fill the memory.
    longest = max(map(len, _whole(parts)))
    if longest > LONGEST_LABEL:
        _add_long_texts(frame, name, parts, keepers)
        return
    named = name in frame.naming
    for split, part in parts.items():
        keeper = keepers[split]
        if isinstance(part, PagedCells) and keeper is not None:
            entry: Entry = paged_texts(name, part, longest, TEXTS, named, keeper)
        else:
            entry = np.array(part, TEXTS) if named else texts(part)
        _add(frame, split, name, entry)


def _add_long_texts(
    frame: Frame, name: str, parts: Mapping[str, Cells], keepers: Mapping[str, TextKeeper | None]
) -> None:
    """Texts, of which those that lie on disk stay there."""
    for split, part in parts.items():
        keeper = keepers[split]
        if isinstance(part, StoredTexts):
            entry: Entry = as_text_column(part)
        elif isinstance(part, PagedCells) and keeper is not None:
            # Each is held as long as it is, with 16 bytes beside.
            mean = sum(map(len, part)) // len(part)
            entry = paged_texts(name, part, mean, LONG_TEXTS, False, keeper)
        else:
            entry = np.array([known_text(cell) for cell in part], LONG_TEXTS)
        _add(frame, split, name, entry)


def _add_numbers(
    frame: Frame,
    name: str,
    parts: Mapping[str, Sequence[str]],
    form: NumberForm,
    paged: Mapping[str, NumberPages],
    keepers: Mapping[str, TextKeeper | None],
) -> None:
    """Numbers; the texts, if some cells are none, with the numbers and these rows beside.

    `paged` are those that lie on disk, by split.
    """
    numbers: dict[str, Entry] = dict(paged)
    rows = {split: pages.strange() for split, pages in paged.items()}
    for split, part in parts.items():
        if split not in paged:
            numbers[split], rows[split] = parsed(part, form)
    if form.sample:
        frame.written[name] = form.sample
        frame.notes.append(f"numbers of '{name}' are written as {form.sample}, and read so")
    if any(map(len, rows.values())):
        in_order = {split: numbers[split] for split in parts}
        frame.spoiled[name] = Spoiled(LazyParts(in_order), {split: rows[split] for split in parts})
        _add_texts(frame, name, parts, keepers)
        return
    for split in parts:
        _add(frame, split, name, numbers[split])


def _add(frame: Frame, split: str, name: str, entry: Entry) -> None:
    """A column of a split; one by page, if the split's columns are."""
    frame.splits[split][name] = cast(np.ndarray, entry)
