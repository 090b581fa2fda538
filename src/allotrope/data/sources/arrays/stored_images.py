"""Images in arrays that are more than the memory: brought to bytes once, on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions, bytes_text
from allotrope.data.store.source_key import source_key
from allotrope.data.store.store import NoRoom, Store
from allotrope.data.store.store_folder import PREFIX
from allotrope.data.store.stored_rows import as_column
from allotrope.inputs.image.pixels import Keep
from allotrope.inputs.image.scales import Scale, pages_in_bytes
from allotrope.memory_limit import data_limit, fits, require_memory
from allotrope.wording import counted

Report = Callable[[str], None]


def image_keeper(paths: Sequence[Path], options: DataOptions, report: Report) -> Keep:
    """What puts images of these files on disk, if they are more than is held in memory."""
    store = Store.asked_for(options.cache_size)

    def keep(images: np.ndarray, scale: Scale, channels: int) -> np.ndarray | None:
        size = len(images) * math.prod(images.shape[1:3]) * channels
        # What had to be read as a whole is in memory already.
        if not isinstance(images, np.memmap) or fits(size):
            return None
        what = f"{counted(len(images), 'image')} of {paths[0].parent}"
        if store is None:
            require_memory(size, what, "Leave out --cache-size 0.")
            return None
        try:
            return _Large(images, scale, channels, size, what).kept(store, paths, report)
        except NoRoom as error:
            require_memory(size, what, f"They cannot be kept on disk: {error}.")
            report(f"images are held in memory, as they are not kept on disk: {error}")
        return None

    return keep


@dataclass(frozen=True)
class _Large:
    """Images [n, h, w, c] in a file, what their values mean, and their bytes as uint8."""

    images: np.memmap
    scale: Scale
    channels: int
    size: int
    title: str

    def kept(self, store: Store, paths: Sequence[Path], report: Report) -> np.ndarray:
        """The images on disk as uint8, written if they are not there. Raises: NoRoom."""
        images = self.images
        where = str(images.filename), images.offset, images.shape, images.strides
        how = images.dtype.str, self.channels, self.scale.value_range
        key = source_key(PREFIX, paths[0].parent, paths, *where, *how)
        stored = store.opened(key, report)
        if stored is None:
            store.check_room(self.size)
            report(
                f"{self.title} take {bytes_text(self.size)}, more than the "
                f"{bytes_text(data_limit())} that are held in memory, and are read from disk in "
                f"training: {store.folder / key} (--cache-size says how much may lie there)"
            )
            self._write(store, key)
            stored = store.opened(key, report)
        if stored is None:
            raise NoRoom(f"what was written to {store.folder / key} is not there")
        return as_column(stored.rows)

    def _write(self, store: Store, key: str) -> None:
        shape = (*self.images.shape[1:3], self.channels)
        parts = pages_in_bytes(self.images, self.scale)
        rows = (row[..., : self.channels] for part in parts for row in part)
        store.write(key, shape, np.dtype(np.uint8), rows, lambda: {"title": self.title})
