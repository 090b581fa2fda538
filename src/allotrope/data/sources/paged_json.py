"""Files of a JSON object a line that are more than the memory: long texts go to disk."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from allotrope.data.recognize.text_forms import is_prose
from allotrope.data.sources.held_cells import EACH, POINTER
from allotrope.data.sources.json_object import json_object, no_objects, strange_values
from allotrope.data.sources.text_keeper import NotByPage, TakenTexts, TextKeeper, is_large
from allotrope.data.store.store import raised_apart
from allotrope.data.store.stored_texts import StoredTexts, text_pages

LOOKED_AT = 200
CHECKED = 10_000
"""Lines after which it is looked again whether what is held fits in memory."""
Numbered = tuple[int, dict[str, Any]]


@dataclass
class JsonColumns:
    """Values by name in memory, texts by name on disk, and the numbers of their lines.

    `first` are the names of the first lines in their order. `bytes` are about what the values take.
    """

    held: dict[str, list[Any]] = field(default_factory=dict)
    stored: dict[str, StoredTexts] = field(default_factory=dict)
    numbers: array[int] = field(default_factory=lambda: array("q"))
    first: tuple[str, ...] = ()
    bytes: int = 0
    _known: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All names, in the order in which they come."""
        return list(dict.fromkeys((*self.first, *self.held)))

    def values(self, name: str) -> list[Any]:
        """The values of a name that are in memory: none if its texts lie on disk."""
        if name in self.stored:
            return []
        return self.held.get(name) or [None] * len(self.numbers)

    def add(self, number: int, row: Mapping[str, Any]) -> None:
        """One more line; what it lacks is missing."""
        for name in row:
            if name not in self.held:
                self.held[name] = [None] * len(self.numbers)
        self.numbers.append(number)
        for name, values in self.held.items():
            values.append(self._same(row.get(name)))
            self.bytes += POINTER

    def _same(self, value: Any) -> Any:
        """The value; of equal texts the same one."""
        if not isinstance(value, str):
            self.bytes += EACH
            return value
        if value not in self._known:
            self.bytes += EACH + len(value)
        return self._known.setdefault(value, value)


def read_by_page(path: Path, keeper: TextKeeper, in_memory: frozenset[str]) -> JsonColumns:
    """The columns of the file, long texts on disk but for those of `in_memory`.

    Raises: DataError for lines that are no objects, values that are no texts among texts, or more
    in memory than fits; NoRoom; NotByPage.
    """
    first = [row for _, row in islice(_objects(path), LOOKED_AT)]
    columns = JsonColumns(first=tuple(name for row in first for name in row))
    large = _large(first, in_memory)
    strange: dict[str, list[int]] = defaultdict(list)
    with keeper.taking(large) as taken:
        for number, row in raised_apart(_objects(path)):
            for name in large:
                _take(name, row.pop(name, None), taken, strange[name], number)
            columns.add(number, row)
            if not number % CHECKED:
                keeper.require_for(columns.bytes)
        for name, numbers in strange.items():
            if numbers:
                raise strange_values(path, name, [f"line {number}" for number in numbers])
    for name in large:
        _add_texts(columns, name, keeper)
    return columns


def _add_texts(columns: JsonColumns, name: str, keeper: TextKeeper) -> None:
    """Texts on disk; in memory, if all together are no prose."""
    texts = keeper.column(name)
    if is_prose(text_pages(texts)):
        columns.stored[name] = texts
        return
    columns.held[name] = []
    for page in text_pages(texts):
        columns.held[name].extend(page)
        columns.bytes += sum(EACH + len(cell) for cell in page)
        keeper.require_for(columns.bytes)


def _take(name: str, value: Any, taken: TakenTexts, strange: list[int], number: int) -> None:
    if value is None or isinstance(value, str):
        taken.add(name, value or "")
    else:
        strange.append(number)


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
    wrong = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise NotByPage("it holds zero bytes")
                if not line.strip():
                    continue
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
