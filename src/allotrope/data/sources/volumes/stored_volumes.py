"""Volumes that are more than the memory: decoded one at a time, to the disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions, bytes_text
from allotrope.data.store.source_key import source_key
from allotrope.data.store.store import NoRoom, Store
from allotrope.data.store.store_folder import VOLUMES
from allotrope.data.store.stored_rows import as_column
from allotrope.memory_limit import data_limit, fits, require_memory
from allotrope.wording import counted

Report = Callable[[str], None]
NUMBER = np.dtype(np.float32)
REMEDY = "Choose a smaller --image-size"


@dataclass(frozen=True)
class Decoding:
    """Volumes of files below a folder, which `decoded` makes one after the other.

    `shape`: [n, d, h, w]; `how`: whatever else decides their values. `strange` is asked when all
    are made: how many values were no numbers.
    """

    folder: Path
    files: Sequence[Path]
    shape: tuple[int, ...]
    how: tuple[object, ...]
    decoded: Callable[[], Iterator[np.ndarray]]
    strange: Callable[[], int]

    @property
    def bytes(self) -> int:
        """What all of them take."""
        return math.prod(self.shape) * NUMBER.itemsize

    def values(self, options: DataOptions, report: Report) -> tuple[np.ndarray, int]:
        """The volumes float32, on disk if they are more than is held in memory, and `strange`.

        Raises: DataError if there is room for them nowhere, and what `decoded` raises.
        """
        store = Store.asked_for(options.cache_size)
        if store is None or fits(self.bytes):
            without = ", or leave out --cache-size 0" if store is None else ""
            return self._in_memory(f"{REMEDY}{without}.")
        try:
            return self._on_disk(store, report)
        except NoRoom as error:
            report(f"volumes are held in memory, as they are not kept on disk: {error}")
            return self._in_memory(f"{REMEDY}. They cannot be kept on disk either: {error}.")

    def _in_memory(self, remedy: str) -> tuple[np.ndarray, int]:
        at = "x".join(map(str, self.shape[1:]))
        require_memory(self.bytes, f"{self.folder} at {at}", remedy)
        values = np.empty(self.shape, NUMBER)
        for place, one in enumerate(self.decoded()):
            values[place] = one
        return values, self.strange()

    def _on_disk(self, store: Store, report: Report) -> tuple[np.ndarray, int]:
        """Raises: NoRoom."""
        key = source_key(VOLUMES, self.folder, self.files, self.shape, *self.how)
        stored = store.opened(key, report)
        if stored is None:
            store.check_room(self.bytes)
            report(
                f"{counted(self.shape[0], 'volume')}: decoded they take {bytes_text(self.bytes)}, "
                f"more than the {bytes_text(data_limit())} that are held in memory, and are read "
                f"from disk in training: {store.folder / key} (--cache-size says how much may lie "
                "there, 0 holds all in memory)"
            )
            # Of files, which may name patients, nothing is written but what their hash says.
            facts = {"title": f"{counted(self.shape[0], 'volume')}"}
            store.write(
                key,
                self.shape[1:],
                NUMBER,
                self.decoded(),
                lambda: {**facts, "strange": self.strange()},
            )
            stored = store.opened(key, report)
        if stored is None:
            raise NoRoom(f"what was written to {store.folder / key} is not there")
        return as_column(stored.rows), int(stored.facts["strange"])
