"""Decoded examples by key: opened if they are there, written so that they are there next time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from allotrope.config import bytes_text
from allotrope.data.store.row_file import SpoiledStore
from allotrope.data.store.run_file import opened_rows
from allotrope.data.store.store_folder import (
    LEFT_FREE,
    USUAL_SIZE,
    discard,
    free_bytes,
    make_room,
    mark_used,
    store_folder,
)
from allotrope.data.store.store_writer import FACTS, writing_entry
from allotrope.data.store.stored_rows import StoredRows
from allotrope.errors import DataError

Report = Callable[[str], None]
Row = TypeVar("Row")
Free = Callable[[Path], int]


class NoRoom(DataError):
    """Decoded examples that cannot be kept on disk, and why."""


@dataclass(frozen=True)
class Stored:
    """Decoded examples [n, …] on disk, and the facts that were written with them."""

    rows: StoredRows
    facts: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.rows.file.folder


@dataclass(frozen=True)
class Store:
    """The store in a folder, of at most `size` bytes; `free` says what the disk has left."""

    folder: Path
    size: int = USUAL_SIZE
    free: Free = free_bytes

    @classmethod
    def asked_for(cls, size: int | None) -> Store | None:
        """The store of this user, within so many bytes, None for the usual number; None for 0."""
        if size == 0:
            return None
        return cls(store_folder(), USUAL_SIZE if size is None else size)

    def opened(self, key: str, report: Report) -> Stored | None:
        """What lies there under the key; None if nothing does, or it is spoiled, which is said."""
        folder = self.folder / key
        try:
            facts = json.loads((folder / FACTS).read_bytes())
            if not isinstance(facts, dict):
                raise SpoiledStore(folder, f"its facts are {type(facts).__name__}")
            stored = Stored(StoredRows.all_of(opened_rows(folder)), facts)
        except SpoiledStore as error:
            self.drop(error, report)
            return None
        except ValueError as error:
            self.drop(SpoiledStore(folder, f"its facts are damaged: {error}"), report)
            return None
        except OSError:
            return None
        mark_used(folder)
        return stored

    def drop(self, spoiled: SpoiledStore, report: Report) -> None:
        """Remove what is spoiled, and say so."""
        discard(spoiled.folder)
        report(
            f"the decoded examples in {spoiled.folder} cannot be used ({spoiled.reason}); they "
            "are decoded again"
        )

    def check_room(self, needed: int) -> None:
        """Make room for so many bytes. Raises: NoRoom."""
        if needed > self.size:
            raise NoRoom(
                f"decoded they take {bytes_text(needed)}, and --cache-size is "
                f"{bytes_text(self.size)}. Say --cache-size {_rounded_up(needed)}"
            )
        make_room(self.folder, needed, self.size)
        left = self.free(self.folder)
        if needed + LEFT_FREE > left:
            raise NoRoom(
                f"decoded they take {bytes_text(needed)}, and the disk of {self.folder} has "
                f"{bytes_text(left)} left, of which {bytes_text(LEFT_FREE)} stay free. "
                f"{self.remedy}"
            )

    @property
    def remedy(self) -> str:
        """What helps if nothing can be written there."""
        return (
            "Free some space (`allotrope cache --clear` removes what was decoded before), or set "
            "ALLOTROPE_CACHE to a folder with room that may be written"
        )

    def write(
        self,
        key: str,
        shape: tuple[int, ...],
        dtype: np.dtype,
        rows: Iterable[np.ndarray],
        facts: Callable[[], dict[str, Any]],
    ) -> None:
        """Write rows of this shape under the key; `facts` is asked when all are there.

        Raises: NoRoom if the system does not let it; nothing is left then.
        """
        with self.refusals(), writing_entry(self.folder / key, shape, dtype) as writer:
            for row in raised_apart(rows):
                writer.append(row)
            writer.finish(facts())

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """What the system refuses becomes NoRoom, but for what `raised_apart` carries past."""
        try:
            yield
        except _Apart as error:
            assert error.__cause__ is not None
            raise error.__cause__ from None
        except OSError as error:
            raise NoRoom(f"{error}. {self.remedy}") from error


class _Apart(Exception):
    """Carries what the making of rows raised past what is said of the disk."""


def raised_apart(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows; what the system refuses in making them is no refusal to store them."""
    try:
        yield from rows
    except OSError as error:
        raise _Apart from error


def _rounded_up(count: int) -> str:
    """So many bytes as an option takes them, and a little more."""
    return f"{-(-count * 21 // 20 // 1_000_000):,}MB".replace(",", "")
