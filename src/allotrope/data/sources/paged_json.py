"""Files of a JSON object a line that are more than the memory: their values go to disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from allotrope.data.recognize.text_forms import is_prose
from allotrope.data.sources.held_cells import HeldCells
from allotrope.data.sources.json_object import (
    LINE,
    json_object,
    kind_in_words,
    no_objects,
    strange_values,
)
from allotrope.data.sources.lines.text_file import opened_text
from allotrope.data.sources.text_keeper import NotByPage, TakenTexts, TextKeeper, is_large
from allotrope.data.store.json_pages import JsonPages, JsonPagesWriter, JsonValues
from allotrope.data.store.kept_rows import KeepRows, rows_in_memory
from allotrope.data.store.run_file import RunFile
from allotrope.data.store.store import NoRoom, Stored, raised_apart
from allotrope.data.store.stored_texts import StoredTexts, text_pages

LOOKED_AT = 200
Numbered = tuple[int, dict[str, Any]]


@dataclass
class JsonColumns:
    """Values by name: in memory, by page, or long texts on disk; and the numbers of their lines.

    Of a list of objects they are those of its entries, as the `noun` says.

    `first` are the names of the first lines in their order.
    """

    held: dict[str, list[Any]] = field(default_factory=dict)
    stored: dict[str, StoredTexts] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    noun: str = LINE
    first: tuple[str, ...] = ()
    paged: JsonPages | None = None
    keep_rows: KeepRows = rows_in_memory
    _known: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All names, in the order in which they come."""
        by_page = () if self.paged is None else self.paged.names
        return list(dict.fromkeys((*self.first, *self.held, *by_page)))

    def values(self, name: str) -> list[Any] | JsonValues:
        """The values of a name, which are no long texts on disk."""
        if self.paged is not None and name not in self.held:
            return JsonValues(self.paged, name)
        return self.held.get(name) or [None] * len(self.numbers)

    def add(self, number: int, row: Mapping[str, Any]) -> None:
        """One more line, held in memory; what it lacks is missing."""
        for name in row:
            if name not in self.held:
                self.held[name] = [None] * len(self.numbers)
        self.numbers.append(number)
        for name, values in self.held.items():
            values.append(self._same(row.get(name)))

    def _same(self, value: Any) -> Any:
        """The value; of equal texts the same one."""
        return self._known.setdefault(value, value) if isinstance(value, str) else value


def read_by_page(path: Path, keeper: TextKeeper, in_memory: frozenset[str]) -> JsonColumns:
    """The columns of the file, on disk: long texts one by one, but for those of `in_memory`.

    Raises: DataError for lines that are no objects, or values that are no texts among texts;
    NoRoom; NotByPage.
    """
    first = [row for _, row in islice(_objects(path), LOOKED_AT)]
    large = _large(first, in_memory)
    key = "values", tuple(large)
    stored = _stored(keeper, key, large)
    if stored is None:
        _write(path, keeper, key, large)
        stored = _stored(keeper, key, large)
    if stored is None:
        raise NoRoom(f"values that were written to {keeper.store.folder} are not there")
    starts = np.array(stored.facts["starts"], np.int64)
    pages = JsonPages(cast(RunFile, stored.rows.file), stored.facts["pages"], starts)
    columns = JsonColumns(
        numbers=pages.numbers(),
        first=tuple(name for row in first for name in row),
        paged=pages,
        keep_rows=keeper.keep_rows,
    )
    for name in large:
        _add_texts(columns, name, keeper)
    return columns


def _stored(keeper: TextKeeper, key: object, large: Sequence[str]) -> Stored | None:
    """The values that were put there before, if the long texts were, too."""
    if any(keeper.opened(name) is None for name in large):
        return None
    return keeper.opened(key)


def _write(path: Path, keeper: TextKeeper, key: object, large: Sequence[str]) -> None:
    strange: dict[str, dict[str, list[str]]] = {name: defaultdict(list) for name in large}
    with keeper.taking([*large, key]) as taken:
        writer = JsonPagesWriter(partial(taken.add_bytes, key))
        for number, row in raised_apart(_objects(path)):
            for name in large:
                _take(name, row.pop(name, None), taken, strange[name], number)
            writer.append(number, row)
        writer.finish()
        for name, kinds in strange.items():
            if kinds:
                raise strange_values(path, name, kinds, "texts")
        taken.facts.update(pages=writer.pages, starts=writer.starts)


def _add_texts(columns: JsonColumns, name: str, keeper: TextKeeper) -> None:
    """Texts on disk; in memory, if all together are no prose."""
    texts = keeper.column(name)
    if is_prose(text_pages(texts)):
        columns.stored[name] = texts
        return
    held = HeldCells()
    for page in text_pages(texts):
        held.extend(page)
        keeper.require_for(held.bytes)
    columns.held[name] = list(held.cells)


def _take(
    name: str, value: Any, taken: TakenTexts, strange: dict[str, list[str]], number: int
) -> None:
    if value is None or isinstance(value, str):
        taken.add(name, value or "")
    else:
        strange[kind_in_words(value)].append(f"line {number}")


def _large(first: Sequence[Mapping[str, Any]], in_memory: frozenset[str]) -> list[str]:
    """The names of long texts, by the first lines."""
    names = dict.fromkeys(name for row in first for name in row if name not in in_memory)
    cells = {name: [row.get(name) for row in first] for name in names}
    texts = {
        name: [value or "" for value in values]
        for name, values in cells.items()
        if all(value is None or isinstance(value, str) for value in values)
    }
    return [name for name, own in texts.items() if is_large(own)]


def _objects(path: Path) -> Iterator[Numbered]:
    """The number and the object of each line. Raises: DataError with all lines that have none."""
    wrong, begun = [], False
    try:
        with opened_text(path) as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise NotByPage("it holds zero bytes")
                if not line.strip():
                    continue
                if not begun and line.lstrip().startswith("["):
                    raise NotByPage("it is a list of objects, and has not one a line")
                begun = True
                row = json_object(line)
                if row is None:
                    wrong.append(number)
                # Behind the first that is none the others are only looked for, to name them all.
                elif not wrong:
                    yield number, row
    except UnicodeDecodeError:
        raise NotByPage("it is not all UTF-8") from None
    if wrong:
        raise no_objects(path, wrong)
