"""Files of labelled lines that are more than the memory: texts go to disk, a line at a time."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from allotrope.config import DataOptions
from allotrope.data.encodings import decoded, printable
from allotrope.data.file_text import SAMPLE, USUAL, encoding_notes, is_latin
from allotrope.data.sources.held_cells import HeldCells
from allotrope.data.sources.lines.labelled_lines import COLUMNS, LabelledLines, parted
from allotrope.data.sources.lines.text_file import (
    MEMORY_PER_BYTE,
    opened,
    text_size,
)
from allotrope.data.sources.text_keeper import NotByPage, TextKeeper
from allotrope.data.store.store import Store, raised_apart

Report = Callable[[str], None]
LONGEST = 64_000_000
"""Bytes of a line, at the most."""
CHECKED = 10_000
"""Lines after which it is looked again whether labels fit in memory."""
KEY = "lines"


@dataclass
class PagedLines:
    """A file that is gone over a line at a time, as often as need be."""

    path: Path
    keeper: TextKeeper
    used: Counter[str] = field(default_factory=Counter)
    others: list[int] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What of the encodings is not as usual."""
        return encoding_notes(self.path, self.used, self.others)

    def lines(self) -> Iterator[str]:
        """Each line, decoded by itself, without its end.

        Raises: DataError if it cannot be decompressed; NotByPage.
        """
        # Lines are gone over twice, for their form and for their texts, and counted once.
        self.used.clear()
        self.others.clear()
        strange, utf8 = b"", 0
        for number, data in enumerate(_raw_lines(self.path), 1):
            line, encoding = decoded(data)
            if encoding.startswith(("utf-16", "utf-32")) or "\0" in line:
                raise NotByPage("it holds zero bytes, or is no UTF-8")
            self.used[encoding] += 1
            if encoding in USUAL:
                utf8 += not data.isascii()
            elif len(strange) < SAMPLE:
                self.others.append(number)
                strange += data
            yield line.removeprefix("\ufeff") if number == 1 else line
        if len(self.others) > utf8 and not is_latin(strange):
            raise NotByPage("it is no UTF-8, and not Latin")

    def labelled(self, form: str) -> LabelledLines:
        """The lines apart in labels, which are in memory, and texts, which are on disk.

        Raises: DataError if labels do not fit in memory; NoRoom; NotByPage.
        """
        key = KEY, form
        labels = {name: HeldCells() for name in COLUMNS[form]}
        numbers, empty = array("q"), list[int]()
        with self.keeper.taking([key]) as taken:
            rows = parted(raised_apart(self.lines()), form, empty)
            for number, values, text in rows:
                taken.add(key, text)
                numbers.append(number)
                for held, value in zip(labels.values(), values, strict=True):
                    held.add(value)
                if not len(numbers) % CHECKED:
                    self.keeper.require_for(sum(held.bytes for held in labels.values()), "labels")
        cells = {name: held.cells for name, held in labels.items()}
        return LabelledLines(self.keeper.column(key), cells, numbers, empty)


def paged_lines(path: Path, options: DataOptions, report: Report) -> PagedLines | None:
    """The file, if it is more than is held in memory. Raises: DataError for one cut short."""
    store = Store.asked_for(options.cache_size)
    size = None if store is None else text_size(path, store.size)
    keeper = TextKeeper.of_large(
        path.parent,
        [path],
        f"'{printable(path.name)}'",
        MEMORY_PER_BYTE,
        (KEY,),
        options,
        report,
        size=size,
    )
    return None if keeper is None else PagedLines(path, keeper)


def _raw_lines(path: Path) -> Iterator[bytes]:
    """Each line without its end: a line feed, a carriage return, or both.

    Raises: DataError for a gzip file that is not whole; NotByPage.
    """
    with opened(path) as file:
        while data := file.readline(LONGEST):
            if len(data) == LONGEST:
                raise NotByPage(f"a line has more than {LONGEST:,} bytes")
            yield from data.splitlines()
