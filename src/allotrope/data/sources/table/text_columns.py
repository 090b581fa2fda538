"""Columns of texts as a frame has them: numbers where that is what their cells say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.data.cells import known_text, texts
from allotrope.data.number_forms import MARKS, NumbersFound, numbers_found, parsed, points_of
from allotrope.data.recognize.frame import Frame, Spoiled
from allotrope.data.store.stored_texts import StoredTexts, as_text_column
from allotrope.inputs.table.cell_numbers import NumberForm

LONGEST_LABEL = 1000
"""Characters of a label or the name of a picture, at the most."""
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
    frame: Frame, columns: Mapping[str, Mapping[str, Cells]], asked: AskedCells
) -> None:
    """Adds the columns to the frame, in their order; `columns` are cells by name and split."""
    held = {name: _held(parts) for name, parts in columns.items()}
    apart = {*asked.texts, *frame.naming}
    numbers = {
        name: numbers_found(_whole(parts))
        for name, parts in held.items()
        if parts and name not in apart
    }
    told = set(points_of(numbers).values())
    for name, parts in held.items():
        if not parts:
            _add_long_texts(frame, name, columns[name])
            continue
        form = NumberForm() if name in asked.numbers else None
        each = numbers.get(name)
        if each is not None:
            form = _form(frame, name, parts, each, told, asked)
        if form is None:
            _add_texts(frame, name, parts)
        else:
            _add_numbers(frame, name, parts, form)


def _held(parts: Mapping[str, Cells]) -> dict[str, Sequence[str]]:
    """The cells by split; none if some of them lie on disk."""
    held = {split: part for split, part in parts.items() if not isinstance(part, StoredTexts)}
    return held if len(held) == len(parts) else {}


def _whole(parts: Mapping[str, Sequence[str]]) -> list[str]:
    return [cell for part in parts.values() for cell in part]


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
    marked = [cell for cell in _whole(parts) if "," in cell or "." in cell][:SHOWN]
    shown = ", ".join(f"'{cell}'" for cell in marked)
    ways = [
        f"  --decimal {word:<7} '{marked[0]}' is {each.number(marked[0]):.12g}"
        for word, each in zip(MARKS, (form, other), strict=True)
    ]
    return "\n".join([f"numbers of '{name}' ({shown}) can be read in two ways. Say which:", *ways])


def _add_texts(frame: Frame, name: str, parts: Mapping[str, Sequence[str]]) -> None:
    # An array of texts is as wide as its longest: a single cell could fill the memory.
    long = max(map(len, _whole(parts))) > LONGEST_LABEL
    if long:
        _add_long_texts(frame, name, parts)
        return
    for split, part in parts.items():
        if name in frame.naming:
            frame.splits[split][name] = np.array(part, "U")
        else:
            frame.splits[split][name] = texts(part)


def _add_long_texts(frame: Frame, name: str, parts: Mapping[str, Cells]) -> None:
    """Texts, of which those that lie on disk stay there."""
    for split, part in parts.items():
        if isinstance(part, StoredTexts):
            frame.splits[split][name] = as_text_column(part)
        else:
            frame.splits[split][name] = np.array([known_text(cell) for cell in part], LONG_TEXTS)


def _add_numbers(
    frame: Frame, name: str, parts: Mapping[str, Sequence[str]], form: NumberForm
) -> None:
    """Numbers; the texts, if some cells are none, with the numbers and these rows beside."""
    numbers, rows = {}, {}
    for split, part in parts.items():
        numbers[split], rows[split] = parsed(part, form)
    if form.sample:
        frame.written[name] = form.sample
        frame.notes.append(f"numbers of '{name}' are written as {form.sample}, and read so")
    if any(map(len, rows.values())):
        frame.spoiled[name] = Spoiled(numbers, rows)
        _add_texts(frame, name, parts)
        return
    for split, values in numbers.items():
        frame.splits[split][name] = values
