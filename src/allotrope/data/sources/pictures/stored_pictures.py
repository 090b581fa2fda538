"""Decoded pictures: from the store if they lie there, else decoded and put there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from allotrope.config import DataOptions, bytes_text
from allotrope.data.sources.pictures.decode_pictures import Pictures, look_at_pictures
from allotrope.data.store.row_file import SpoiledStore
from allotrope.data.store.source_key import source_key
from allotrope.data.store.store import NoRoom, Store, Stored
from allotrope.data.store.store_folder import PREFIX
from allotrope.data.store.stored_rows import as_column
from allotrope.errors import UsageError
from allotrope.memory_limit import data_limit, fits, require_memory
from allotrope.wording import counted

Report = Callable[[str], None]
Decoded = tuple[np.ndarray, dict[str, Any]]
WORTH_A_LINE = 100_000_000
"""Bytes on the disk of which is said that they are put there, even if they fit in memory."""


def decoded_pictures(
    folder: Path, files: Sequence[Path], parts: Sequence[str], options: DataOptions, report: Report
) -> Decoded:
    """Pixels uint8 [readable files, h, w, c], and the facts that go with them into the store.

    They stay on disk (`StoredRows`) if they are more than their share of the memory. `parts` says
    of each file to which split it belongs.
    Raises: DataError if too many files cannot be read, if there is room for them neither in memory
    nor on disk, or if the values of splits disagree.
    """
    if options.image_size is not None and options.image_size < 1:
        raise UsageError(f"image size {options.image_size}: expected at least 1 pixel.")
    store = Store.asked_for(options.cache_size)
    lengths = tuple((split, sum(1 for _ in rows)) for split, rows in groupby(parts))
    asked = options.image_size, options.value_range
    key = source_key(PREFIX, folder, files, *asked, lengths, PIL.__version__)
    if store is not None:
        stored = store.opened(key, report)
        decoded = None if stored is None else _opened(store, stored, report)
        if decoded is not None:
            return decoded
    pictures = look_at_pictures(folder, files, parts, options, report)
    # What fits is decoded into memory first: a disk that fails then costs nothing.
    if store is not None and not fits(pictures.bytes):
        return _on_disk(store, key, pictures, report)
    remedy = "Choose a smaller --image-size"
    if store is None:
        remedy += ", or leave out --cache-size 0"
    _require_memory(pictures, f"{remedy}.")
    pixels = pictures.in_memory()
    facts = pictures.facts()
    if store is not None:
        _put(store, key, pictures, pixels, facts, report)
    return pixels, facts


def _opened(store: Store, stored: Stored, report: Report) -> Decoded | None:
    """What was decoded before, in memory if it fits there; None if it is spoiled, which is said."""
    if not fits(stored.rows.nbytes):
        report(_read_from(len(stored.rows), stored.rows.nbytes, stored.folder))
        return as_column(stored.rows), stored.facts
    try:
        return np.asarray(stored.rows), stored.facts
    except SpoiledStore as error:
        store.drop(error, report)
        return None


def _on_disk(store: Store, key: str, pictures: Pictures, report: Report) -> Decoded:
    """Pictures that are decoded to the disk; in memory if that cannot be, and they just fit.

    Raises: DataError if they do not.
    """
    count, size = len(pictures.headers), pictures.bytes
    try:
        store.check_room(size)
        report(f"decoding {_read_from(count, size, store.folder / key)}")
        store.write(key, pictures.shape, np.dtype(np.uint8), pictures.decoded(), pictures.facts)
        stored = store.opened(key, report)
        if stored is None:
            raise NoRoom(f"what was written to {store.folder / key} is not there. {store.remedy}")
        return as_column(stored.rows), stored.facts
    except NoRoom as error:
        remedy = f"Choose a smaller --image-size. They cannot be kept on disk either: {error}."
        _require_memory(pictures, remedy)
        report(f"decoded pictures are held in memory, as they are not kept on disk: {error}")
    return pictures.in_memory(), pictures.facts()


def _read_from(count: int, size: int, folder: Path) -> str:
    return (
        f"{counted(count, 'picture')}: decoded they take {bytes_text(size)}, more than the "
        f"{bytes_text(data_limit())} that are held in memory, and are read from disk in training: "
        f"{folder} (--cache-size says how much may lie there, 0 holds all in memory)"
    )


def _put(
    store: Store,
    key: str,
    pictures: Pictures,
    pixels: np.ndarray,
    facts: dict[str, Any],
    report: Report,
) -> None:
    """Pixels that fit in memory, put there for the next time; it is said if they cannot be."""
    try:
        store.check_room(pictures.bytes)
        if pixels.nbytes > WORTH_A_LINE:
            report(
                f"the decoded pictures, {bytes_text(pixels.nbytes)}, are kept in {store.folder} "
                "for the next time (--cache-size 0 keeps none)"
            )
        store.write(key, pictures.shape, pixels.dtype, pixels, lambda: facts)
    except NoRoom as error:
        report(f"decoded pictures are not kept for the next time: {error}")


def _require_memory(pictures: Pictures, remedy: str) -> None:
    height, width, _ = pictures.shape
    require_memory(pictures.bytes, f"{pictures.decoder.folder} at {height}x{width}", remedy)
