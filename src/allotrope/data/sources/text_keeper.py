"""Puts the texts of files on disk, if reading them takes more than is held in memory."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import DataOptions, bytes_text
from allotrope.data.recognize.read_frame import asked_of
from allotrope.data.recognize.text_forms import TEXTS as TEXT_FORM
from allotrope.data.recognize.text_forms import text_form
from allotrope.data.store.kept_rows import RowKeeper
from allotrope.data.store.run_writer import RunWriter, writing_runs
from allotrope.data.store.source_key import source_key
from allotrope.data.store.store import NoRoom, Store, Stored
from allotrope.data.store.store_folder import TEXTS
from allotrope.data.store.stored_rows import StoredRows
from allotrope.data.store.stored_texts import StoredTexts, stored_bytes
from allotrope.inputs.text.raw_bytes import lengths_of
from allotrope.memory_limit import data_limit, fits, require_memory

Report = Callable[[str], None]


LONG = 32
"""Texts stay on disk if they are prose, and have so many bytes on average."""


class NotByPage(Exception):
    """Why a file is not read by page."""


def check_by_page(options: DataOptions) -> None:
    """Raises: NotByPage if files are to be read in another encoding than UTF-8."""
    name = codecs.lookup(options.encoding or "utf-8").name
    if name not in ("utf-8", "utf-8-sig"):
        raise NotByPage(f"it is read as {name}, and not as UTF-8")


def is_large(cells: Sequence[str]) -> bool:
    """Whether the first cells of a column are prose, and long."""
    mean = float(np.mean(lengths_of(cells)))
    return mean >= LONG and text_form(np.array(cells, "U")) == TEXT_FORM


def columns_in_memory(options: DataOptions) -> frozenset[str]:
    """The columns that are no texts to learn from, as far as options say."""
    asked = asked_of(options)
    others = [name for name, kind in asked.inputs.items() if kind not in ("text", "none")]
    apart = [name for name in (options.group, options.time) if name is not None]
    return frozenset((*asked.targets, *asked.tasks, *others, *apart))


@dataclass(frozen=True)
class TextKeeper:
    """A place on disk for columns of texts of some files below a folder.

    `needed`: what reading them into memory takes. `size`: what the texts take at the most.
    `how`: whatever else decides which texts there are.
    """

    store: Store
    root: Path
    files: Sequence[Path]
    title: str
    needed: int
    size: int
    how: tuple[object, ...]
    report: Report
    noun: str = "texts"

    @classmethod
    def of_large(
        cls,
        root: Path,
        files: Sequence[Path],
        title: str,
        memory_per_byte: int,
        how: tuple[object, ...],
        options: DataOptions,
        report: Report,
        noun: str = "texts",
        size: int | None = None,
    ) -> TextKeeper | None:
        """The place for texts that are more than is held in memory.

        `size` is that of the files, if it is not what they take on disk. None if they are not more,
        or nothing is to be put on disk (`--cache-size 0`), or a network of tokens needs each text
        as it is.
        """
        if size is None:
            size = sum(path.stat().st_size for path in files)
        store = Store.asked_for(options.cache_size)
        if store is None or options.known.tokens is not None or fits(size * memory_per_byte):
            return None
        return cls(store, root, files, title, size * memory_per_byte, size, how, report, noun)

    def opened(self, column: object) -> Stored | None:
        """The texts of a column that were put there before, and the facts with them."""
        return self.store.opened(self._key(column), self.report)

    @contextmanager
    def taking(self, columns: Sequence[Any], size: int | None = None) -> Iterator[TakenTexts]:
        """Takes the texts of these columns; they are there if nothing goes wrong until the end.

        `size`: the bytes that they take, if they are numbers made of others. Those that are there
        already stay as they are. Raises: NoRoom.
        """
        new = [column for column in columns if self.opened(column) is None]
        if new:
            self.store.check_room(self.size if size is None else size)
        if new and size is not None:
            self.report(
                f"numbers of {self.title} take {bytes_text(size)}, and are kept in "
                f"{self.store.folder} beside its {self.noun}"
            )
        if new and size is None:
            self.report(
                f"the {self.noun} of {self.title} take up to {bytes_text(self.size)}, and reading "
                f"them up to {bytes_text(self.needed)}, more than the {bytes_text(data_limit())} "
                f"that are held in memory; they are kept in {self.store.folder} and read from disk "
                "(--cache-size says how much may lie there, 0 holds all in memory)"
            )
        with self.store.refusals(), ExitStack() as stack:
            writers = {
                column: stack.enter_context(writing_runs(self.store.folder / self._key(column)))
                for column in new
            }
            taken = TakenTexts(writers, {})
            yield taken
            for writer in writers.values():
                writer.finish({"title": self.title, **taken.facts})

    def column(self, column: object) -> StoredTexts:
        """The texts [n] of a column that was taken. Raises: NoRoom if somebody removed them."""
        stored = self.opened(column)
        if stored is None:
            raise NoRoom(f"texts that were written to {self.store.folder} are not there")
        return StoredTexts(StoredRows.all_of(stored.rows.file))

    @property
    def keep_rows(self) -> RowKeeper:
        """What puts rows of a table in these files on disk."""
        return RowKeeper(self.store, self.root, self.files, self.title, self.report)

    def require_memory(self, error: Exception) -> None:
        """Says that all is held in memory. Raises: DataError if they do not fit there."""
        require_memory(
            self.needed, f"reading {self.title}", f"It cannot be kept on disk either: {error}."
        )
        self.report(f"{self.noun} are held in memory, as they are not kept on disk: {error}")

    def require_for(self, count: int, what: str = "what it holds beside long texts") -> None:
        """Raises: DataError if so many bytes, which are no long texts, do not fit in memory."""
        require_memory(
            count,
            f"{self.title}: {what}",
            "Leave such columns out of the file, or split it.",
        )

    def _key(self, column: object) -> str:
        return source_key(TEXTS, self.root, self.files, *self.how, column)


@dataclass(frozen=True)
class TakenTexts:
    """Takes texts by column, on their way to the disk; `facts` go with them."""

    writers: Mapping[Any, RunWriter]
    facts: dict[str, Any]

    def add(self, column: object, text: str) -> None:
        """One more text of a column. Raises: OSError."""
        if column in self.writers:
            self.writers[column].add(stored_bytes(text))

    def add_bytes(self, column: object, data: bytes) -> None:
        """One more row of a column, as it is. Raises: OSError."""
        if column in self.writers:
            self.writers[column].add(data)
